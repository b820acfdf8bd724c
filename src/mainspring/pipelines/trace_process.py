"""The process in which a pipeline is drawn up: imports the user's module, writes the graph or the error."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from mainspring.kernel.codec import to_plain
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.pipelines.authoring import Pipeline
from mainspring.pipelines.child import die_with_parent, enter_project, told, users_traceback


def main(folder: str, pipeline: str, answer: str, parent: str) -> None:
    """Draw up `pipeline` of the project in `folder`, and write what came of it to `answer`."""
    die_with_parent(int(parent))
    project = Path(folder)
    enter_project(project)
    try:
        result = {"graph": to_plain(_pipeline(project, pipeline).trace())}
    except MainspringError as error:
        result = {"error": _told(error)}
    except (Exception, SystemExit) as error:
        sys.stderr.write(users_traceback(error))
        line, where = told(error, project)
        result = {
            "error": _told(
                Invalid(f"the pipeline can't be drawn up: {line}", code="trace_failed", where=where)
            )
        }
    Path(answer).write_text(json.dumps(result))


def _pipeline(project: Path, name: str) -> Pipeline[Any]:
    module_name, _, function = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except MainspringError:
        raise
    except (Exception, SystemExit) as error:
        sys.stderr.write(users_traceback(error))
        line, where = told(error, project)
        is_it = (
            isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]
        )
        raise Invalid(
            f"there is no module {module_name!r} in the project"
            if is_it
            else f"{module_name} can't be imported: {line}",
            code="import_failed",
            where=None if is_it else where,
            hint=f"The project's code files are: {_modules(project)}." if is_it else None,
        ) from error
    found: Any = module
    for part in function.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Pipeline):
        known = [key for key, value in vars(module).items() if isinstance(value, Pipeline)]
        raise Invalid(
            f"{module_name} has no pipeline {function!r}",
            code="no_such_pipeline",
            hint=f"It has: {', '.join(known)}."
            if known
            else "Decorate a function with @ms.pipeline.",
        )
    return found


def _modules(project: Path) -> str:
    names = sorted(path.relative_to(project).as_posix() for path in project.rglob("*.py"))
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def _told(error: MainspringError) -> dict[str, str | None]:
    return {
        "kind": error.kind,
        "message": error.message,
        "code": error.code,
        "hint": error.hint,
        "where": error.where,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
