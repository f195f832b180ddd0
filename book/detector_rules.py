"""What a detector of action units responds to: an audit by rendered faces of ``synthetic_faces.stimuli``.

Written down before any error rate was computed. What was changed after the first look at simulated detectors:
what a standard error is, and when a detector responds to nothing.

All is measured within a person, against the mean of that person's neutral pictures.

* The *effect* of a unit on an output is the slope through 0 of what the output rises by in five doses. The
  *reach* of an output is its largest mean effect, of whatever unit.
* *Certain* is what lies beyond 0 with a simultaneous interval over people: of all effects, differences of
  effects, sides, doses and conditions of the audit together, the largest distance of a resample of people
  from the sample, in standard errors (of a contrast, and at least the mean of its kind), bounds them
  all (the rule over people, ``stats.resampling.bounds``).
  So chance is called certain in one of twenty audits of faultless detectors, not in one of twenty cells.
* What muscles do together is no fault: ``GO_ALONG`` names the units that may raise the output of another.

The verdict on an output, the first that holds:

1. *says one value*: it is the same on all pictures. *Silent*: its scale is known, and no effect reaches
   ``SILENT_BELOW`` of it. A silent output joins no fault of the detector as a whole.
2. *responds to another*: a unit that is not alike raises it, and certainly more than its own does.
3. *reversed*: its own unit certainly lowers it, by at least ``LARGE`` of its reach.
4. *deaf*: its own unit does not certainly raise it, and by less than ``FAINT_EFFECT`` standard deviations of
   all its values; *uncertain*: not certainly, but by more.
5. *sides swapped*: of a sided output, the other side alone certainly raises it more than its own, by at
   least ``LARGE`` of its reach.
6. *saturated*: the doses in the middle certainly raise it by more than ``EARLY`` of what the high doses do
   (in proportion: by 5/9). Not tested for an output of two values.
7. *responds to its unit*.

Faults of the detector as a whole:

* *bias*: a unit certainly raises at least half, and at least three, of the outputs of units that are not
  alike, each by at least ``LARGE`` of its reach; of AU12 it is the *smile bias*.
* *columns shuffled*: at least two outputs respond to another unit, whose own output does so, too.
* *no face*: in more than ``MANY`` of the pictures no face was found; *same answer*: on more than ``MANY`` of
  the pictures with a face that show an output's unit, by at least ``STRONG``, all outputs have the very same
  values, though these pictures show different units (of two values each: not tested).
* *loses*: in a condition the outputs that respond to their unit lose at least ``LARGE`` of their effects, on
  average, with the whole interval over people below 0. *Rises at rest*, *falls at rest*: a condition
  certainly moves an output of a neutral face, by at least ``LARGE`` of its reach.
* *no response*: every output is silent, deaf, uncertain or says one value.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fer_lib.stats.resampling import bootstrap, bounds, mean_of_defined, ratio, resampled_sums
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from synthetic_faces.facs import AUS
from synthetic_faces.stimuli import CHANGED_UNITS, CHANGES, DOSES

# What the rules above call large, faint, early, many, silent and strong.
LARGE, FAINT_EFFECT, EARLY, MANY, SILENT_BELOW, STRONG = 0.25, 0.5, 0.75, 0.1, 0.01, 0.5

MIDDLE, HIGH = slice(1, 3), slice(3, None)

# Units that look alike or go along (FACS: jaws that drop part the lips, a smile lifts the cheeks).
LOOK_ALIKE = "1 2, 4 9, 6 7, 6 12, 7 43, 9 10, 12 14, 14 20, 16 25, 18 22, 23 24, 23 28, 24 28, 25 26, 26 27"

# Units that raise the output of the second of the pair, which does not raise theirs.
BESIDES = "9 6, 10 25, 22 25, 27 25"

GO_ALONG = {tuple(f"AU{unit}" for unit in pair.split()) for pair in f"{LOOK_ALIKE}, {BESIDES}".split(", ")}
GO_ALONG |= {tuple(f"AU{unit}" for unit in pair.split()[::-1]) for pair in LOOK_ALIKE.split(", ")}
"""(unit, unit of an output that it may raise)."""

PEOPLE_DRAWS = 2000


@dataclass(frozen=True)
class Output:
    """A column of a detector: its ``unit``, and the ``side`` of the subject, empty for both at once;
    ``found`` (N,), its values as proportions of what it says of a unit in full, NaN without a face.
    ``scaled``: whether that is known, and not just its largest value.
    """

    unit: str
    side: str
    found: np.ndarray
    scaled: bool = True

    @property
    def name(self) -> str:
        """``AU12``, or ``AU12 left``."""
        return f"{self.unit} {self.side}".strip()

    @cached_property
    def levels(self) -> int:
        """Number of different values."""
        return len(np.unique(self.found[np.isfinite(self.found)]))


@dataclass(frozen=True)
class Contrasts:
    """Differences within people: ``table``, float64 (P, C, K) for each of the K outputs, NaN where a person
    has none, and ``keys``, what the C are of.
    """

    keys: list[tuple[str, ...]]
    table: np.ndarray

    @cached_property
    def mean(self) -> np.ndarray:
        """(C, K) over people."""
        return mean_of_defined(self.table, axis=0)

    @cached_property
    def number(self) -> np.ndarray:
        """(C, K): how many people have one."""
        return np.isfinite(self.table).sum(axis=0)

    def of(self, *key: str) -> np.ndarray:
        """(K,): the means of one contrast."""
        return self.mean[self.keys.index(key)]

    def draws(self, k: int) -> np.ndarray:
        """(D, C): the means of output ``k`` in each resample of people, of those in it who have one; that of
        all where none has. Of all outputs at once they would fill hundreds of megabytes.
        """
        there = np.isfinite(self.table[:, :, k])
        number = resampled_sums(there, PEOPLE_DRAWS, 0)
        total = resampled_sums(np.where(there, self.table[:, :, k], 0), PEOPLE_DRAWS, 0)
        return np.where(number > 0, total / np.maximum(number, 1), self.mean[:, k])

    @cached_property
    def intervals(self) -> np.ndarray:
        """(2, C, K): 95 % intervals over people, each by itself."""
        columns = range(self.table.shape[2])
        return np.stack([bounds(self.draws(k), self.number[:, k], self.mean[:, k]) for k in columns], axis=2)

    @cached_property
    def simultaneous(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, K) each: lower and upper ends that hold of all contrasts together; NaN where there are none."""
        number = self.number
        spread = mean_of_defined((self.table - self.mean) ** 2, axis=0)
        # At least that of the kind: a single one of few people may be small by chance.
        kinds = np.array([key[0] for key in self.keys])
        for kind in np.unique(kinds):
            spread[kinds == kind] = spread[kinds == kind].clip(mean_of_defined(spread[kinds == kind], axis=0))
        error = np.sqrt(np.divide(spread, number - 1, out=np.full(spread.shape, np.nan), where=number > 1))
        there = error > 0
        farthest = np.zeros(PEOPLE_DRAWS)
        for k in np.flatnonzero(there.any(axis=0)):
            own = there[:, k]
            distance = np.abs(self.draws(k)[:, own] - self.mean[own, k]) / error[own, k]
            farthest = np.maximum(farthest, distance.max(axis=1))
        reach = bounds(farthest, len(self.table))[1] if there.any() else np.nan
        reach = np.where(there, reach * error, np.where(number > 1, 0, np.nan))
        return self.mean - reach, self.mean + reach

    def certain(self, *key: str) -> np.ndarray:
        """(K,): 1 where a contrast is certainly above 0, -1 where certainly below, else 0."""
        low, high = (ends[self.keys.index(key)] for ends in self.simultaneous)
        return np.where(low > 0, 1, np.where(high < 0, -1, 0))


def _slope(rises: np.ndarray) -> np.ndarray:
    """(P, K): the slope through 0 of ``rises`` (D, P, K) in the doses that have one."""
    weights = np.array(DOSES)[:, None, None] * np.isfinite(rises)
    return ratio(np.stack([np.nansum(weights * rises, axis=0), (weights**2).sum(axis=0)], axis=-1))


def _means(truth: pd.DataFrame, scores: np.ndarray) -> dict[tuple, np.ndarray]:
    """What is shown (part, condition, unit, dose, side) -> (P, K): each person's mean over the pictures of it
    in which a face was found.
    """
    columns = ["part", "condition", "unit", "dose", "side"]
    means = pd.DataFrame(scores).groupby([truth[column] for column in (*columns, "person")]).mean()
    people = truth["person"].unique()
    return {
        name: each.droplevel(columns).reindex(people).to_numpy()
        for name, each in means.groupby(level=columns)
    }


@dataclass(frozen=True)
class Finding:
    """The verdict on an output: ``word``, one of the module's, and in ``about`` the unit or the figure."""

    output: str
    word: str
    about: str = ""


@dataclass(frozen=True)
class Audit:
    """A detector on trial: the ``truth``, a ``stimuli_table`` of N pictures, and its K ``outputs``."""

    truth: pd.DataFrame
    outputs: tuple[Output, ...]

    @cached_property
    def answers(self) -> np.ndarray:
        """(N, K): what each output found in each picture."""
        return np.stack([each.found for each in self.outputs], axis=1)

    @cached_property
    def contrasts(self) -> Contrasts:
        """All that the rules need: ("effect", unit), ("beyond", unit) minus that of the output's own unit,
        ("side", unit) left minus right alone, ("dose", unit) the middle minus ``EARLY`` of the high doses,
        ("change", condition, unit) the effect in it minus that without, and ("rest", condition). Raises
        DataError where no person has a neutral picture.
        """
        means = _means(self.truth, self.answers)
        rest = means["rest", "", "", 0.0, "both"]
        if not np.isfinite(rest).any():
            raise DataError("no face was found in any picture of a face at rest; nothing can be compared")

        def rise(part: str, condition: str, unit: str, dose: float, side: str = "both") -> np.ndarray:
            return means.get((part, condition, unit, dose, side), np.full(rest.shape, np.nan)) - rest

        doses = {au: np.stack([rise("dose", "", au, dose) for dose in DOSES]) for au in AUS}
        effects = {au: _slope(rises) for au, rises in doses.items()}
        own = np.stack([effects[each.unit][:, k] for k, each in enumerate(self.outputs)], axis=1)
        values: dict[tuple[str, ...], np.ndarray] = {}
        for au, rises in doses.items():
            values["effect", au] = effects[au]
            values["beyond", au] = effects[au] - own
            values["dose", au] = rises[MIDDLE].mean(axis=0) - EARLY * rises[HIGH].mean(axis=0)
            left, right = (rise("side", "", au, 1.0, side) for side in ("left", "right"))
            values["side", au] = left - right
        for condition, (kind, _) in CHANGES.items():
            values["rest", condition] = still = rise(kind, condition, "", 0.0)
            for au in CHANGED_UNITS:
                values["change", condition, au] = rise(kind, condition, au, 1.0) - still - doses[au][-1]
        return Contrasts(list(values), np.stack(list(values.values()), axis=1))

    @cached_property
    def effects(self) -> np.ndarray:
        """(A, K): the mean effect of each unit on each output."""
        return np.stack([self.contrasts.of("effect", au) for au in AUS])

    @cached_property
    def reach(self) -> np.ndarray:
        """(K,): the largest effect on each output."""
        return np.abs(np.nan_to_num(self.effects)).max(axis=0)

    @cached_property
    def silent(self) -> np.ndarray:
        """bool (K,): outputs of a known scale that nothing moves."""
        return np.array([each.scaled for each in self.outputs]) & (self.reach < SILENT_BELOW)

    @cached_property
    def verdicts(self) -> tuple[Finding, ...]:
        """One of each output."""
        return tuple(self._verdict(k) for k in range(len(self.outputs)))

    def _verdict(self, k: int) -> Finding:
        output, own = self.outputs[k], AUS.index(self.outputs[k].unit)
        if output.levels < 2:
            return Finding(output.name, "says one value")
        if self.silent[k]:
            return Finding(output.name, "silent")
        effect, certain = self.effects[own, k], self.contrasts.certain("effect", output.unit)[k]
        if rival := self._rival(k):
            return Finding(output.name, "responds to another", rival)
        if certain < 0 and -effect >= LARGE * self.reach[k]:
            return Finding(output.name, "reversed")
        if certain <= 0:
            faint = effect < FAINT_EFFECT * np.nanstd(output.found)  # not where it was never seen
            return Finding(output.name, "deaf" if faint else "uncertain")
        lateral = {"left": 1, "right": -1}.get(output.side, 0) * self.contrasts.of("side", output.unit)[k]
        if lateral <= -LARGE * self.reach[k] and self.contrasts.certain("side", output.unit)[k]:
            return Finding(output.name, "sides swapped")
        if output.levels > 2 and self.contrasts.certain("dose", output.unit)[k] > 0:
            return Finding(output.name, "saturated")
        return Finding(output.name, "responds to its unit")

    @cached_property
    def foreign(self) -> np.ndarray:
        """bool (A, K): the units that are neither an output's own nor alike."""
        units = [each.unit for each in self.outputs]
        return np.array([[au != own and (au, own) not in GO_ALONG for own in units] for au in AUS])

    @cached_property
    def raised(self) -> np.ndarray:
        """bool (A, K): the units that certainly raise an output."""
        return np.stack([self.contrasts.certain("effect", au) > 0 for au in AUS])

    def _rival(self, k: int) -> str:
        """The unit that raises output ``k`` most, if certainly more than its own and not alike; else none."""
        beyond = np.array([self.contrasts.certain("beyond", au)[k] > 0 for au in AUS])
        rivals = np.flatnonzero(self.foreign[:, k] & self.raised[:, k] & beyond)
        return AUS[max(rivals, key=lambda a: self.effects[a, k])] if len(rivals) else ""

    @cached_property
    def faceless(self) -> float:
        """Proportion of the pictures in which no face was found."""
        return float(np.isnan(self.answers).all(axis=1).mean())

    @cached_property
    def repeated(self) -> float:
        """Proportion of the pictures with a face and a strong unit of an output that have the most frequent
        answer of all outputs, besides those that show the same units: of these one answer is right.
        """
        units = dict.fromkeys(each.unit for each in self.outputs)
        doses = {au: self.truth[[f"{au}_left", f"{au}_right"]].max(axis=1) for au in units}
        strong = pd.DataFrame(doses) >= STRONG
        tested = strong.any(axis=1) & np.isfinite(self.answers).any(axis=1)
        if not tested.any():
            return 0.0
        answer = (
            pd.DataFrame(self.answers)[tested].groupby(list(range(len(self.outputs))), dropna=False).ngroup()
        )
        alike = pd.crosstab(answer, strong[tested].groupby(list(units)).ngroup())
        return float((alike.sum(axis=1) - alike.max(axis=1)).max() / tested.sum())

    @cached_property
    def faults(self) -> tuple[Finding, ...]:
        """Those of the detector as a whole; ``output`` says which, or is empty."""
        findings = [*self._biases(), *self._shuffled(), *self._conditions()]
        if self.faceless > MANY:
            findings.append(Finding("", "no face", f"{self.faceless:.0%}"))
        if self.repeated > MANY and any(each.levels > 2 for each in self.outputs):
            findings.append(Finding("", "same answer", f"{self.repeated:.0%}"))
        if {each.word for each in self.verdicts} <= {"deaf", "uncertain", "says one value", "silent"}:
            findings.append(Finding("", "no response"))
        return tuple(findings)

    def _biases(self) -> list[Finding]:
        others = self.foreign & ~self.silent
        rises = (others & self.raised & (self.effects >= LARGE * self.reach)).sum(axis=1)
        enough = rises >= np.maximum(3, others.sum(axis=1) / 2)
        return [Finding("", "bias", au) for au, biased in zip(AUS, enough, strict=True) if biased]

    def _shuffled(self) -> list[Finding]:
        wrong = {self.outputs[k].unit: each.about for k, each in enumerate(self.verdicts) if each.about}
        swaps = [f"{unit} has {other}" for unit, other in wrong.items() if other in wrong]
        return [Finding("", "columns shuffled", ", ".join(swaps))] if len(swaps) > 1 else []

    def _conditions(self) -> list[Finding]:
        findings = []
        for condition in CHANGES:
            loss = self.lost(condition)
            if loss is not None and loss.high is not None and loss.value <= -LARGE and loss.high < 0:
                findings.append(Finding("", "loses", condition))
            shift, certain = (each("rest", condition) for each in (self.contrasts.of, self.contrasts.certain))
            for sign, word in ((1, "rises at rest"), (-1, "falls at rest")):
                large = (certain == sign) & (np.abs(shift) >= LARGE * self.reach) & ~self.silent
                if large.any():
                    names = [o.name for o, there in zip(self.outputs, large, strict=True) if there]
                    findings.append(Finding(", ".join(names), word, condition))
        return findings

    def lost(self, condition: str) -> Estimate | None:
        """What the outputs that respond to their unit lose of their effects in ``condition``, on average, as
        a share; None where none of them was shown in it.
        """
        changes = self.contrasts
        shares = [
            changes.table[:, changes.keys.index(("change", condition, output.unit)), k]
            / changes.of("effect", output.unit)[k]
            for k, (output, verdict) in enumerate(zip(self.outputs, self.verdicts, strict=True))
            if output.unit in CHANGED_UNITS and verdict.word in ("responds to its unit", "saturated")
        ]
        own = mean_of_defined(np.stack(shares), axis=0) if shares else np.empty(0)
        own = own[np.isfinite(own)]
        if not len(own):
            return None
        return bootstrap(np.stack([own, np.ones(len(own))], axis=1), n=len(own))

    def dosed(self, k: int) -> pd.DataFrame:
        """``person``, ``dose`` and what output ``k`` ``found``, of neutral faces and of its unit alone, where
        there is an answer.
        """
        truth, found = self.truth, self.outputs[k].found
        own = truth["part"].eq("rest") | (truth["part"].eq("dose") & truth["unit"].eq(self.outputs[k].unit))
        return truth[["person", "dose"]].assign(found=found)[own & np.isfinite(found)]

    def distance(self, k: int) -> Estimate | None:
        """How far output ``k``, with what it says in full as 1, is from the true dose of its unit alone, on
        average over doses and people; None where it found no face there.
        """
        own = self.dosed(k)
        far = (own["found"] - own["dose"]).abs().groupby(own["person"]).agg(["sum", "count"])
        return bootstrap(far.to_numpy(float), n=len(own)) if len(own) else None
