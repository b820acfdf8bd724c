"""A change to the flow that somebody might well make: good on held-out hours, far too slow for one at a time."""

from pathlib import Path

from mainspring.kernel.errors import Invalid

_MARK = "@ms.step\ndef features"

_CLASS = '''\
class Steadied:
    """Averages over a hundred slightly different weather forecasts, for steadier answers."""

    def __init__(self, estimator):
        self.estimator = estimator

    def predict(self, table):
        answers = [
            self.estimator.predict(table.with_columns(pl.col("temperature") + shift / 100))
            for shift in range(-50, 50)
        ]
        return sum(answers) / len(answers)


'''

_BEFORE = "return ms.Model(estimator, inputs"
_AFTER = "return ms.Model(Steadied(estimator), inputs"


def have_the_idea(flow: Path) -> str:
    """Edit the flow in place; gives back the text that it had."""
    text = flow.read_text()
    if _MARK not in text or _BEFORE not in text:
        raise Invalid(f"{flow} is not the flow of the example", where=str(flow))
    edited = text.replace(_MARK, _CLASS + _MARK).replace(_BEFORE, _AFTER)
    flow.write_text(edited)
    return text
