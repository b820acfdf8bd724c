"""A verdict as Markdown for people, and as JUnit XML for machines that show tests."""

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from mainspring.cli.ci.verdict import Case, MetricChange, Outcome, ServiceVerdict, Verdict

_MARKS = {
    Outcome.PASSED: "✅",
    Outcome.WARNED: "⚠️",
    Outcome.INCONCLUSIVE: "❓",
    Outcome.FAILED: "❌",
    Outcome.NOT_RUN: "⏸️",
}
COMMENT_MARK = "<!-- mainspring ci -->"
_LONGEST_DETAIL = 4000
_LONGEST_LINE = 500


def markdown(verdict: Verdict) -> str:
    """The verdict as one comment. Its first line marks it, so that a later one can take its place."""
    lines = [COMMENT_MARK, f"## Mainspring: {_word(verdict.passed)}", ""]
    lines += _cases(case for case in verdict.cases if not case.outcome.lets_pass)
    for service in verdict.services:
        lines += _service(service)
    return "\n".join(lines).rstrip() + "\n"


def text(verdict: Verdict) -> Iterator[str]:
    """The verdict for a terminal."""
    for case in verdict.cases:
        yield from _case_text("", case)
    for service in verdict.services:
        yield f"{service.service}: {'passed' if service.passed else 'NOT PASSED'}"
        for case in service.cases:
            yield from _case_text("  ", case)
        for metric in service.metrics:
            beside = "" if metric.champion is None else f" (champion {metric.champion:.6g})"
            yield f"  {metric.name} {metric.value:.6g}{beside}"
    yield "passed" if verdict.passed else "NOT PASSED"


def junit(verdict: Verdict) -> str:
    """The verdict in the form of JUnit, a test case for each thing that was looked at.

    What is inconclusive counts as a failure, what was not run as skipped.
    """
    root = ElementTree.Element("testsuites", name="mainspring")
    groups = [("project", verdict.cases)]
    groups += [(service.service, service.cases) for service in verdict.services]
    for name, cases in groups:
        failed = [c for c in cases if c.outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE)]
        skipped = [c for c in cases if c.outcome is Outcome.NOT_RUN]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=name,
            tests=str(len(cases)),
            failures=str(len(failed)),
            skipped=str(len(skipped)),
            errors="0",
        )
        for case in cases:
            _junit_case(suite, name, case)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _junit_case(suite: ElementTree.Element, name: str, case: Case) -> None:
    element = ElementTree.SubElement(
        suite, "testcase", classname=_printable(f"{name}.{case.suite}"), name=_printable(case.name)
    )
    detail = _printable(case.detail)
    if case.outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE):
        first = detail.splitlines()[0] if detail else case.outcome.value
        failure = ElementTree.SubElement(element, "failure", message=first, type=case.outcome.value)
        failure.text = detail
    elif case.outcome is Outcome.NOT_RUN:
        ElementTree.SubElement(element, "skipped", message=detail)
    elif detail:
        ElementTree.SubElement(element, "system-out").text = detail


def _service(service: ServiceVerdict) -> list[str]:
    compared = f", compared with version {service.champion}" if service.champion else ""
    lines = [f"### {_escaped(service.service)}: {_word(service.passed)}{compared}", ""]
    lines += _cases(service.cases)
    if service.metrics:
        lines += [
            "| metric | this change | champion | difference |",
            "| --- | ---: | ---: | ---: |",
        ]
        lines += [_metric(metric) for metric in service.metrics]
        lines.append("")
    if service.ran or service.reused:
        lines += [f"Steps run: {_names(service.ran)}. Known already: {_names(service.reused)}.", ""]
    return lines


def _cases(cases: Iterable[Case]) -> list[str]:
    lines = []
    for case in cases:
        first, *rest = (case.detail or case.outcome.value).splitlines()
        name = f"{_escaped(case.suite)}, {_escaped(case.name)}"
        lines.append(f"- {_MARKS[case.outcome]} **{name}**: {_escaped(first)}")
        if rest:
            detail = "\n".join(rest).strip("\n")[:_LONGEST_DETAIL].replace("```", "'''")
            lines += ["", "  ```text", *(f"  {line}" for line in detail.splitlines()), "  ```", ""]
    return [*lines, ""] if lines else []


def _metric(metric: MetricChange) -> str:
    if metric.champion is None:
        return f"| {_escaped(metric.name)} | {metric.value:.6g} | | |"
    difference = metric.value - metric.champion
    share = f" ({difference / abs(metric.champion):+.1%})" if metric.champion else ""
    return (
        f"| {_escaped(metric.name)} | {metric.value:.6g} | {metric.champion:.6g} "
        f"| {difference:+.6g}{share} |"
    )


def _case_text(indent: str, case: Case) -> Iterator[str]:
    first, *rest = (case.detail or case.outcome.value).splitlines()
    yield f"{indent}{case.outcome.value:12} {case.suite}, {case.name}: {first}"
    yield from (f"{indent}  {line}" for line in rest)


def _names(names: tuple[str, ...]) -> str:
    """Names in order; the items of a mapped step together."""
    found: dict[str, int] = {}
    for name in names:
        step = name.partition("[")[0]
        found[step] = found.get(step, 0) + ("[" in name)
    told = [f"{name} ({count} items)" if count else name for name, count in found.items()]
    return _escaped(", ".join(told)) or "none"


def _word(passed: bool) -> str:
    return "passed ✅" if passed else "not passed ❌"


def _escaped(text: str) -> str:
    """Text that may hold anything, as part of a line of a Markdown table or list."""
    text = " ".join(text.split())
    text = text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
    for mark in "\\`*_|<>[]&~#":
        text = text.replace(mark, "\\" + mark)
    return text


def _printable(text: str) -> str:
    """Without the control characters that XML can't hold."""
    text = text.encode(errors="replace").decode()
    return "".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))
