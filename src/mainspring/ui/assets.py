"""The pages' own style sheet, scripts and icon, read once and served for ever under their digest."""

import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mainspring.kernel.digests import digest_bytes

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """All files by name; `version` changes with any of them, so that browsers may keep them."""

    version: str
    files: dict[str, bytes]

    def url(self, name: str) -> str:
        """Where a file is; raises `KeyError` for one that there is not."""
        self.files[name]
        return f"/assets/{self.version}/{name}"


@cache
def assets() -> Assets:
    """Read the files."""
    folder = files("mainspring.ui") / "static"
    found = {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.is_file()
    }
    together = b"".join(name.encode() + content for name, content in found.items())
    return Assets(version=digest_bytes(together)[7:19], files=found)


async def serve(request: Request) -> Response:
    """One file. An old version's address gives the new file, so open pages go on after an upgrade."""
    name = request.path_params["name"]
    content = assets().files.get(name)
    if content is None:
        return PlainTextResponse("There is no such file.", status_code=404)
    suffix = "." + name.rpartition(".")[2]
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    is_current = request.path_params["version"] == assets().version
    keep = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return Response(content, media_type=media_type, headers={"Cache-Control": keep})


async def icon(request: Request) -> Response:
    """The icon at the address that browsers try by themselves."""
    return Response(assets().files["icon.svg"], media_type=_TYPES[".svg"])


ROUTES = [Route("/favicon.ico", icon), Route("/assets/{version}/{name}", serve)]
