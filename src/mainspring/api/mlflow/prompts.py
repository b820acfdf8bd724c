"""Prompts: registered models with a tag, whose versions are a text.

MLflow's clients keep them in the registry, by the same calls. A version has no files of its own, so its
text is stored as one, and gets a digest like everything else.
"""

from mainspring.api.mlflow.wire import Params
from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.model import PROMPT_TEXT_TAG, ModelVersion
from mainspring.kernel.errors import Invalid
from mainspring.registry.requests import RegisterModelVersion

FLAVOR = "prompt"
_FILE = "prompt.txt"
# A version must name a source; these are what MLflow's own clients and stores put there.
_PLACEHOLDERS = frozenset({"dummy-source", "prompt-template"})


def register_prompt(app: App, params: Params) -> ModelVersion:
    """Add a version to a prompt; raises `Invalid` for one without a text."""
    source, tags = params.text("source"), dict(params.pairs("tags"))
    if source not in _PLACEHOLDERS:
        raise Invalid(f"Invalid prompt source: '{source[:200]}'. A prompt has no files.")
    if PROMPT_TEXT_TAG not in tags:
        raise Invalid(f"Prompt `{params.text('name')}` does not contain a prompt text")
    text = tags[PROMPT_TEXT_TAG].encode()
    entry = ManifestEntry(path=_FILE, digest=app.blobs.put_bytes(text), size_bytes=len(text))
    return app.call(
        RegisterModelVersion(
            model=params.text("name"),
            manifest=put_manifest(app.blobs, Manifest(entries=(entry,))),
            flavor=FLAVOR,
            source=source,
            description=params.optional_text("description"),
            tags=tags,
            anew=True,
        )
    )
