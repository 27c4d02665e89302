"""Turn a folder of images or texts into a structured table of metadata."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def describe_media(
    project: str,
    media: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    source: str,
    as_of: str = "",
):
    """Describe each image or text of a source in a row, so that it can be profiled, checked and compared.

    Images: size, mode, brightness, contrast, saturation, sharpness, entropy, hashes. Texts: encoding and its
    faults, lengths, tokens, language, what they are made of. Both: exact and near duplicates. A file that
    cannot be read is a row with its `error`. Refuses a source that is missing or empty, and one of which not
    one file can be described.

    Args:
        project: The project file's text; the source has `format: images` or `texts`.
        source: The source's name.
        as_of: Pretend that it is this time (ISO, UTC): later spans are left out. Empty: now.

    Returns:
        media: `data/part-*.parquet`, one row a file, and `meta.json`, as a training set has them.
        report: Counts, charts, and the worst files in pictures.
    """
    from evergreen.runtime import describe, task

    with task("describe_media", source=source, as_of=as_of):
        from pathlib import Path

        from evergreen.media.task import describe_source
        from evergreen.project import parse_project

        parsed = parse_project(project)
        made = describe_source(parsed, source, Path(media.path), Path(report.path), as_of=as_of)
        describe(media, rows=made.rows, digest=made.digest, findings=len(made.findings))
