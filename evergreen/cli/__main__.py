"""Entry point of `evergreen`: errors become one clear message and their exit code."""

import os
import sys


def main() -> None:
    """Run the command line and exit: 0 success, 1 a gate said no, 2 bad input, 3 a fault, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; messages go to standard error."""
    import typer

    from evergreen.cli.app import app
    from evergreen.errors import EvergreenError
    from evergreen.files import storage_error

    try:
        result = app(args=arguments, prog_name="evergreen", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except EvergreenError as error:
        print(f"evergreen: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        if hasattr(error, "show"):
            error.show(file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("evergreen: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last line of defence: a fault of ours, said plainly
        explained = storage_error(error, "") if isinstance(error, OSError) else None
        if explained:
            print(f"evergreen: {explained}", file=sys.stderr)
            return explained.exit_code
        if os.environ.get("EVERGREEN_TRACEBACK"):
            raise
        print(f"evergreen: a fault: {type(error).__name__}: {error}", file=sys.stderr)
        print("Set EVERGREEN_TRACEBACK=1 to see where, and please report it.", file=sys.stderr)
        return 3


if __name__ == "__main__":
    main()
