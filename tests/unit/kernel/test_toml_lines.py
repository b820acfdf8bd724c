"""Every key of a TOML text is found on its line."""

import tomllib

from mainspring.kernel.toml_lines import key_lines, line_of

TEXT = '''# c
[service.demand]
pipeline = "flow:demand" # x = 3
data     = { rides = "rides", "a.b" = 'x' }
s = """
a = 1 \\""" [
"""""
[[service.demand.gate]]
metric = "rmse"
[[service.demand.gate]]
metric = "x"
[service.demand.gate.versus_champion]
confidence=1
[service.demand.rollout]
steps = [0.05, # a ]
 0.25,
 1.0]
guard = [{ metric = "p99", max = 50 },
 { metric = "e", max = 0.01 }]
a.b.c = 2026-01-01
'''


def test_keys_tables_and_elements_are_found() -> None:
    tomllib.loads(TEXT)

    lines = key_lines(TEXT)

    service = ("service", "demand")
    assert lines[(*service, "pipeline")] == 3
    assert lines[(*service, "data", "a.b")] == 4
    assert lines[(*service, "s")] == 5
    assert lines[(*service, "gate", 0, "metric")] == 9
    assert lines[(*service, "gate", 1)] == 10
    assert lines[(*service, "gate", 1, "versus_champion", "confidence")] == 13
    assert lines[(*service, "rollout", "steps", 1)] == 16
    assert lines[(*service, "rollout", "guard", 1, "max")] == 19
    assert lines[(*service, "rollout", "a", "b", "c")] == 20
    assert not any("a" in path[2:3] for path in lines)


def test_every_path_of_the_parsed_text_has_a_line() -> None:
    lines = key_lines(TEXT)

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        if path:
            assert path in lines
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, (*path, index))

    walk(tomllib.loads(TEXT), ())


def test_an_unknown_path_is_placed_at_what_is_around_it() -> None:
    assert line_of({("a",): 3}, ("a", "b", 4)) == 3
    assert line_of({}, ("a",)) == 1
