"""Whether a candidate keeps its promises in every slice."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn import metrics as reference

from mainspring.domain.gate import (
    Gate,
    GateOutcome,
    GateResult,
    RareSlices,
    SliceBy,
    SliceProof,
    Slices,
    VersusChampion,
)
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Invalid
from mainspring.registry.metrics import Answers, HeldOut
from mainspring.registry.rules import judge
from mainspring.registry.slice_rules import shown_positive
from mainspring.registry.slices import MAX_SLICES, slices_of

SHOP = SliceBy(column="shop")
DAY = SliceBy(column="day")


def judged(
    gate: Gate,
    truth: np.ndarray,
    candidate: np.ndarray,
    champion: np.ndarray | None = None,
    *,
    seed: int = 0,
    **columns: Sequence[object] | np.ndarray,
) -> GateResult:
    rows = HeldOut(
        truth=truth,
        candidate=Answers(predictions=candidate),
        champion=None if champion is None else Answers(predictions=champion),
        columns={name: list(values) for name, values in columns.items()},
    )
    theirs = None if champion is None else {gate.metric: 1.0}
    (result,) = judge([gate], {gate.metric: 1.0}, champion=theirs, rows=rows, seed=seed)
    return result


def versus(*by: SliceBy, **given: object) -> Gate:
    return Gate(
        metric="mae",
        versus_champion=VersusChampion(),
        slices=Slices(by=by, **given),  # type: ignore[arg-type]
    )


def outcomes(result: GateResult) -> dict[str, GateOutcome]:
    return {each.slice: each.outcome for each in result.slices}


def test_harm_to_a_few_is_not_hidden_by_a_better_whole() -> None:
    random = np.random.default_rng(1)
    shop = np.array(["large"] * 900 + ["small"] * 100)
    champion = random.normal(size=1000)
    candidate = champion * np.where(shop == "large", 0.5, 2.0)
    truth = np.zeros(1000)
    whole = Gate(metric="mae", versus_champion=VersusChampion())

    assert judged(whole, truth, candidate, champion).outcome is GateOutcome.PASSED

    result = judged(versus(SHOP), truth, candidate, champion, shop=shop)

    assert result.outcome is GateOutcome.FAILED
    assert outcomes(result) == {
        "shop = small": GateOutcome.FAILED,
        "shop = large": GateOutcome.PASSED,
    }
    assert "2 slices judged, 1 failed, 1 passed, first is shop = small" in result.detail


def test_harm_that_only_two_columns_together_show_is_found_at_depth_2() -> None:
    random = np.random.default_rng(2)
    shop, day = random.choice(["a", "b"], 2000), random.choice(["mon", "sun"], 2000)
    champion = random.normal(size=2000)
    hurt = (shop == "b") & (day == "sun")
    candidate = champion * np.where(hurt, 1.3, 0.5)
    truth = np.zeros(2000)

    alone = judged(versus(SHOP, DAY), truth, candidate, champion, shop=shop, day=day)
    crossed = judged(versus(SHOP, DAY, depth=2), truth, candidate, champion, shop=shop, day=day)

    assert GateOutcome.FAILED not in outcomes(alone).values()
    found = outcomes(crossed)
    assert len(found) == 8
    assert [name for name, said in found.items() if said is GateOutcome.FAILED] == [
        "shop = b and day = sun"
    ]


def test_a_slice_with_too_few_rows_is_inconclusive_and_keeps_the_candidate_out() -> None:
    shop = ["a"] * 100 + ["b"] * 49
    zeros = np.zeros(149)

    result = judged(versus(SHOP), zeros, zeros, zeros, shop=shop)
    skipped = judged(versus(SHOP, rare=RareSlices.SKIP), zeros, zeros, zeros, shop=shop)
    none_left = judged(
        versus(SHOP, rare=RareSlices.SKIP, min_rows=1000), zeros, zeros, zeros, shop=shop
    )

    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert result.slices[0].in_words() == (
        "shop = b: 0 on 49 rows against the champion's 0, too few rows to judge (at least 50)"
    )
    assert skipped.outcome is GateOutcome.PASSED
    assert "1 skipped" in skipped.detail
    assert none_left.outcome is GateOutcome.INCONCLUSIVE


@pytest.mark.parametrize(("most", "outcome"), [(1.0, "passed"), (0.5, "failed")])
def test_limits_hold_in_every_slice_with_no_champion_at_all(most: float, outcome: str) -> None:
    random = np.random.default_rng(3)
    shop = random.choice(["a", "b", "c"], 900)
    gate = Gate(metric="mae", max=most, slices=Slices(by=(SHOP,)))

    result = judged(gate, np.zeros(900), random.normal(size=900), shop=shop)

    assert result.outcome.value == outcome


def test_the_first_model_has_no_champion_to_beat_in_any_slice() -> None:
    (result,) = judge([versus(SHOP)], {"mae": 1.0})

    assert result.outcome is GateOutcome.PASSED


def test_without_answers_nothing_is_known_of_any_slice() -> None:
    gate = Gate(metric="mae", max=1.0, slices=Slices(by=(SHOP,)))

    (result,) = judge([gate], {"mae": 0.5})

    assert result.outcome is GateOutcome.INCONCLUSIVE


def test_the_same_model_again_harms_nobody_by_either_proof() -> None:
    random = np.random.default_rng(4)
    truth, same = random.normal(size=(2, 600))
    shop = random.choice(["a", "b", "c"], 600)

    for proof in SliceProof:
        result = judged(versus(SHOP, proof=proof), truth, same, same, shop=shop)
        assert result.outcome is GateOutcome.PASSED


def test_where_no_harm_must_be_shown_noise_does_not_pass() -> None:
    random = np.random.default_rng(5)
    truth, ours, theirs = random.normal(size=(3, 600))
    shop = random.choice(["a", "b", "c"], 600)

    of_harm = judged(versus(SHOP), truth, ours, theirs, shop=shop)
    of_none = judged(versus(SHOP, proof=SliceProof.OF_NO_HARM), truth, ours, theirs, shop=shop)

    assert of_harm.outcome is GateOutcome.PASSED
    assert of_none.outcome is GateOutcome.FAILED
    assert "not shown to keep the promise" in of_none.detail


def test_of_forty_slices_without_a_difference_hardly_ever_one_is_accused() -> None:
    random = np.random.default_rng(6)
    accused, naive = 0, 0
    for _ in range(300):
        # 40 means of 60 rows each, and what drawing the rows again makes of them.
        rows = random.normal(size=(40, 60))
        drawn = rows[:, random.integers(0, 60, (500, 60))].mean(axis=2).T
        found = rows.mean(axis=1)
        accused += bool(shown_positive(found, drawn, 0.95).any())
        naive += bool((np.quantile(drawn, 0.05, axis=0) > 0).any())

    # 5 % of 300 are 15; above 30 has a chance below 0.1 %. One by one, most trials accuse somebody.
    assert accused <= 30
    assert naive > 200


def test_all_real_differences_are_found_among_many_slices() -> None:
    random = np.random.default_rng(7)
    found = np.array([5.0, 4.5, 0.0, -1.0, *random.normal(size=30) * 0.5])
    drawn = found + random.normal(size=(2000, len(found)))

    assert np.flatnonzero(shown_positive(found, drawn, 0.95)).tolist() == [0, 1]


def test_what_never_varies_is_known() -> None:
    found = np.array([1.0, 0.0, -1.0])

    assert shown_positive(found, np.tile(found, (2000, 1)), 0.95).tolist() == [True, False, False]
    assert shown_positive(np.empty(0), np.empty((2000, 0)), 0.95).tolist() == []


def test_f1_of_a_slice_is_about_the_classes_of_the_whole() -> None:
    random = np.random.default_rng(8)
    shop = np.array(["a", "b"] * 200)
    truth = np.where(shop == "a", random.choice(["no", "yes"], 400), "no")
    said = np.where(random.random(400) < 0.2, "yes", truth)
    gate = Gate(metric="f1", min=0.0, slices=Slices(by=(SHOP,)))

    result = judged(gate, truth, said, shop=shop)

    for each in result.slices:
        mine = shop == each.slice[-1]
        expected = reference.f1_score(truth[mine], said[mine], pos_label="yes", zero_division=0)
        assert each.observed == pytest.approx(expected)


def test_a_slice_whose_truth_is_all_one_has_no_roc_auc() -> None:
    random = np.random.default_rng(9)
    shop = np.array(["a", "b"] * 200)
    truth = np.where(shop == "a", random.integers(0, 2, 400), 0)
    chance = random.random(400)
    rows = HeldOut(
        truth=truth.tolist(),
        candidate=Answers(
            predictions=truth, scores=np.column_stack([1 - chance, chance]), classes=(0, 1)
        ),
        columns={"shop": shop.tolist()},
    )
    gate = Gate(metric="roc_auc", min=0.1, slices=Slices(by=(SHOP,)))

    (result,) = judge([gate], {"roc_auc": 0.9}, rows=rows)

    assert outcomes(result) == {
        "shop = b": GateOutcome.INCONCLUSIVE,
        "shop = a": GateOutcome.PASSED,
    }
    assert "its truth has one value" in result.slices[0].detail


def test_answers_that_are_no_numbers_never_pass_a_slice() -> None:
    zeros = np.zeros(200)
    broken = np.where(np.arange(200) == 150, np.nan, 0.0)

    result = judged(versus(SHOP), zeros, broken, zeros, shop=["a", "b"] * 100)

    assert outcomes(result) == {"shop = a": GateOutcome.FAILED, "shop = b": GateOutcome.PASSED}
    assert json.loads(encode(result))["slices"][0]["observed"] is None


def test_a_result_is_the_same_after_it_was_stored() -> None:
    random = np.random.default_rng(10)
    truth, ours, theirs = random.normal(size=(3, 300))
    first, second = (
        judged(versus(SHOP), truth, ours, theirs, shop=["a", "b", "c"] * 100) for _ in range(2)
    )

    assert first == second
    assert decode(encode(first), GateResult) == first
    assert hash(first.gate) == hash(second.gate)


def test_a_column_that_is_not_there_is_said() -> None:
    zeros = np.zeros(100)

    result = judged(versus(SHOP), zeros, zeros, zeros)

    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert "no column 'shop'" in result.detail
    assert "keep=['shop']" in result.detail


def cut(by: SliceBy, values: Sequence[object]) -> dict[str, list[int]]:
    found = slices_of({by.column: values}, Slices(by=(by,)))
    return {each.name: each.rows.tolist() for each in found}


def test_numbers_are_cut_at_their_edges_and_what_is_missing_stays_apart() -> None:
    assert cut(SliceBy(column="age", edges=(18, 65)), [70, 18, 3, None, 65.0, float("nan")]) == {
        "age < 18": [2],
        "18 <= age < 65": [1],
        "age >= 65": [0, 4],
        "age is missing": [3, 5],
    }


def test_few_numbers_are_values_and_many_are_quarters() -> None:
    assert set(cut(SliceBy(column="n"), [1, 2, 1])) == {"n = 1", "n = 2"}
    assert [len(rows) for rows in cut(SliceBy(column="n"), range(100)).values()] == [25] * 4


def test_words_have_no_edges() -> None:
    with pytest.raises(Invalid, match="holds no numbers"):
        cut(SliceBy(column="shop", edges=(1,)), ["a", "b"])


def test_the_same_rows_are_judged_once() -> None:
    columns = {"shop": ["a", "a", "b"], "town": ["x", "x", "y"]}
    wanted = Slices(by=(SHOP, SliceBy(column="town")), depth=2)

    assert [each.name for each in slices_of(columns, wanted)] == ["shop = a", "shop = b"]


def test_a_column_of_names_is_refused_rather_than_judged_for_hours() -> None:
    names = [f"customer {n}" for n in range(MAX_SLICES + 1)]

    with pytest.raises(Invalid, match="more than 1000 slices"):
        cut(SHOP, names)


def test_no_rows_have_no_slices() -> None:
    assert cut(SHOP, []) == {}
