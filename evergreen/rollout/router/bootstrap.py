"""Envoy's bootstrap: what stays the same while it runs. Clusters and routes come from watched files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen.rollout.plan import ARM_HEADER
from evergreen.rollout.router.access import FORMAT
from evergreen.rollout.router.checks import Endpoint
from evergreen.rollout.router.routes import ROUTES

STATS = "ingress"
_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_CONNECTIONS = 10_000


@dataclass(frozen=True)
class Files:
    """The files that the agent and Envoy share; both must see the folder under the same path.

    Attributes:
        folder: The router's folder.
    """

    folder: Path

    @property
    def clusters(self) -> Path:
        """Envoy's CDS file; in a folder of its own, because every rename there makes Envoy read it again."""
        return self.folder / "clusters" / "cds.json"

    @property
    def routes(self) -> Path:
        """Envoy's RDS file."""
        return self.folder / "routes" / "rds.json"

    @property
    def log(self) -> Path:
        """The folder of the access log: for this user alone; raw user ids are in it for seconds."""
        return self.folder / "access"

    @property
    def output(self) -> Path:
        """What Envoy says."""
        return self.folder / "envoy.log"

    def prepare(self) -> None:
        """Make the folders."""
        for folder in (self.folder, self.clusters.parent, self.routes.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.log.mkdir(mode=0o700, exist_ok=True)
        self.log.chmod(0o700)


def bootstrap(listen: Endpoint, admin: Endpoint, files: Files, log: Path, name: str) -> dict[str, Any]:
    """The bootstrap of one Envoy.

    Args:
        listen: Where clients come in; several Envoys may share it (SO_REUSEPORT).
        admin: Envoy's admin page; loopback, for it can stop Envoy. Port 0: any.
        files: The shared files.
        log: The access log.
        name: The router's id.
    """
    return {
        "node": {"id": name, "cluster": "evergreen-router"},
        "admin": {"address": _address(admin)},
        "dynamic_resources": {"cds_config": watched(files.clusters)},
        "static_resources": {"listeners": [_listener(listen, files, log)]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
                        ".downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": _CONNECTIONS,
                    },
                }
            ]
        },
    }


def watched(path: Path) -> dict[str, Any]:
    """A source that Envoy reads again when a file is renamed into the folder."""
    source = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"path_config_source": source, "resource_api_version": "V3", "initial_fetch_timeout": "5s"}


def _listener(listen: Endpoint, files: Files, log: Path) -> dict[str, Any]:
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": _manager(files, log)}
    return {
        "name": STATS,
        "address": _address(listen),
        "enable_reuse_port": True,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(files: Files, log: Path) -> dict[str, Any]:
    return {
        "@type": _MANAGER,
        "stat_prefix": STATS,
        "rds": {"route_config_name": ROUTES, "config_source": watched(files.routes)},
        # Copies and answers are joined by the request id: a client's own one is kept as it is.
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,
            }
        },
        "use_remote_address": True,
        "normalize_path": True,
        "request_headers_timeout": "30s",
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": {
            "body_format": {
                "json_format": {"error": "router: %LOCAL_REPLY_BODY%"},
                "content_type": "application/json",
            }
        },
        "access_log": [_access_log(log)],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }


def _access_log(log: Path) -> dict[str, Any]:
    counted = {"header_filter": {"header": {"name": ARM_HEADER, "present_match": True}}}
    return {
        "name": "envoy.access_loggers.file",
        "filter": counted,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(log),
            "log_format": {"json_format": FORMAT},
        },
    }


def _address(place: Endpoint) -> dict[str, Any]:
    return {"socket_address": {"address": place.host, "port_value": place.port}}
