"""The verdict on a pair: ``safe``, ``false metallization`` or ``undecided``, from a stated rule on intervals.

The rule, with an acceptable fraction a (docs/verdict.md has it as a table):

1. ``false metallization`` if the lower end of the metallized fraction exceeds a. With a reference (a long-ranged twin,
   an AIMD trajectory) the fraction must also exceed the reference's by a two-sample test; and if the reference's own
   lower end exceeds a, the metal may be real: ``undecided``.
2. ``safe`` if nothing stands against it: the upper end of the metallized fraction is at most a, the seeds agree and the
   MD ran to its end. Two upper ends count, the smaller one: that of the computed frames, with which the fraction beyond
   the window must be at most a too; and that by the gap law (:mod:`.bound`), which knows every frame's dipole. The law
   is asked only where every frame has a gap and none is metallic.
3. ``undecided`` otherwise, with every reason.

Whatever is unknown stands against ``safe``: a frame that failed counts as metallic at the upper end, a number that is
missing blocks. It never stands for ``false metallization`` either: a frame that failed counts as not metallic at the
lower end. So nothing that fails or is missing makes a pair safe. A *metallic* frame that is lost is evidence lost, and
may turn ``false metallization`` into ``undecided``; it never turns it into ``safe``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats

from .expected import Ratio
from .series import Fraction, smallest_trials, wilson

WIDE = 1.15
"""Ratio of the dipole's spread up to which the film's surface explains it: with full electrostatics a film of 12 Å has
1.10, and 1.13 was measured (docs/verdict.md)."""
SAFE, FALSE, UNDECIDED = "safe", "false metallization", "undecided"


@dataclass(frozen=True)
class Thresholds:
    """What the rule holds the numbers against.

    :param acceptable: fraction of metallized frames that is tolerated, 0 to 1. With 0 any metallic frame is too many,
        and no number of frames shows that there are none.
    :param confidence: of all intervals.
    :param rhat: split R-hat above which seeds do not agree yet. Four seeds that agree exceed 1.1 by chance in one of 20
        cases if they hold 20 correlation times each (two seeds in one of seven), and in one of three with 10.
    """

    acceptable: float = 0.01
    confidence: float = 0.95
    rhat: float = 1.1

    def __post_init__(self) -> None:
        if not (0.0 <= self.acceptable < 1.0 and 0.0 < self.confidence < 1.0 and self.rhat > 1.0):
            raise ValueError(f"{self} is out of range.")


@dataclass(frozen=True)
class Evidence:
    """What is known of a pair; None where a number is missing.

    :param metallized: fraction of the *trajectory* that is metallic, the failed frames bounding it
        (:func:`metallized_fraction` for frames chosen blindly; weighted where the selection favours some).
    :param selected: frames that were to get a gap.
    :param computed: frames that have one; the others failed or are not there yet.
    :param metallic: metallic ones among them.
    :param beyond: fraction of the trajectory beyond the window (:func:`.series.fraction_outside`).
    :param rhat: :func:`.series.split_rhat` of all seeds.
    :param disagreeing: seeds that differ from all the others together in mean or spread.
    :param seeds_disagree: :attr:`.series.Agreement.disagree`.
    :param md_message: why an MD ended early; empty if none did.
    :param missing: a sentence on every seed that left nothing.
    :param sampled_ps: equilibrated MD of all seeds together, for what would decide.
    :param bound: upper end of the metallized fraction by the gap law (:func:`.bound.fraction_bound`); None where it has
        nothing to say, as where a frame is metallic.
    :param sd_ratio: observed over expected width (:func:`.expected.width_ratio`). It decides nothing: a thin film bears
        a wide distribution. It is part of the sentence.
    """

    metallized: Fraction | None
    selected: int
    computed: int
    metallic: int
    beyond: Fraction | None = None
    rhat: float | None = None
    disagreeing: tuple[int, ...] = ()
    seeds_disagree: bool = False
    md_message: str = ""
    missing: tuple[str, ...] = ()
    sampled_ps: float | None = None
    bound: float | None = None
    sd_ratio: Ratio | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.metallic <= self.computed <= self.selected:
            raise ValueError(
                f"{self.metallic} metallic, {self.computed} computed, {self.selected} selected frames make no sense."
            )

    @property
    def lawful(self) -> float | None:
        """``bound`` where it may be used: nothing failed, nothing is metallic."""
        return None if self.metallic or not self.computed == self.selected > 0 else self.bound


@dataclass(frozen=True)
class Verdict:
    """One of ``SAFE``, ``FALSE``, ``UNDECIDED``, the sentence behind it, and what would decide where it is open."""

    verdict: str
    reason: str
    would_decide: str = ""


def metallized_fraction(metallic: int, computed: int, failed: int, confidence: float = 0.95) -> Fraction | None:
    """Fraction of metallic frames among frames chosen blindly, failed ones bounding it.

    The value is that of the computed frames. Wilson's interval is taken of all of them, with every failed frame not
    metallic for the lower end and metallic for the upper one.

    :return: None without any frame.
    :raises ValueError: if the counts make no sense.
    """
    if not (0 <= metallic <= computed and failed >= 0):
        raise ValueError(f"{metallic} metallic of {computed} computed frames and {failed} failed ones make no sense.")
    frames = computed + failed
    if not frames:
        return None
    least, most = metallic / frames, (metallic + failed) / frames
    value = metallic / computed if computed else 0.5
    low, high = wilson(least, frames, confidence)[0], wilson(most, frames, confidence)[1]
    return Fraction(value, low, high, float(frames), confidence, least, most)


# --- two samples ---


def excess(pair: Fraction, reference: Fraction) -> tuple[float, float, float]:
    """By how much a pair's fraction exceeds a reference's: least difference, and the ends of its interval.

    Newcombe's hybrid score interval (Stat. Med. 17, 873 (1998), method 10): each fraction's distance to the end of its
    own interval, added in quadrature. It needs intervals only, so weighted and correlated estimates go in as they are
    (Zou and Donner, Stat. Med. 27, 1693 (2008)). What is unknown counts for the pair and against the reference: the
    difference is taken between the pair's smallest and the reference's largest estimate.

    :raises ValueError: if the two intervals differ in confidence.
    """
    if pair.confidence != reference.confidence:
        raise ValueError(f"Intervals of {pair.confidence} and {reference.confidence} are not compared.")
    first, second = pair.smallest, reference.largest
    difference = first - second
    low = difference - math.hypot(first - pair.low, reference.high - second)
    high = difference + math.hypot(pair.high - first, second - reference.low)
    return difference, low, high


def fisher_probability(pair: Fraction, reference: Fraction) -> float:
    """Probability (one-sided, Fisher's exact test) that the pair's count exceeds the reference's by chance.

    On effective counts, rounded against a difference. A second opinion on :func:`excess`, more cautious than that.
    """
    n, m = max(1, math.floor(pair.n_eff)), max(1, math.floor(reference.n_eff))
    k, j = math.floor(pair.smallest * n + 1e-9), math.ceil(reference.largest * m - 1e-9)
    return float(stats.hypergeom.sf(k - 1, n + m, k + j, n))


# --- the rule ---


def judge(evidence: Evidence, thresholds: Thresholds | None = None, reference: Fraction | None = None) -> Verdict:
    """The verdict, see the module.

    :param reference: the metallized fraction of the reference pair, with its interval; None without one.
    :raises ValueError: if an interval's confidence is not that of the thresholds.
    """
    limits = thresholds or Thresholds()
    for fraction in (evidence.metallized, evidence.beyond, reference):
        if fraction is not None and fraction.confidence != limits.confidence:
            raise ValueError(f"An interval of {fraction.confidence} meets a threshold of {limits.confidence}.")
    metallized = evidence.metallized
    # Without a computed metal nobody is accused, whatever an estimate makes of the frames that were not computed.
    if metallized is not None and evidence.metallic and metallized.low > limits.acceptable:
        return _accuse(evidence, metallized, limits, reference)
    open_points = [point for check in CHECKS if (point := check(evidence, limits))]
    if open_points:
        reason, remedy = zip(*open_points, strict=True)
        return Verdict(UNDECIDED, " ".join(reason) + _width(evidence), " ".join(remedy))
    assert metallized is not None  # else there were open points
    tolerated = f"with {_percent(limits.acceptable)} acceptable."
    if metallized.high <= limits.acceptable and evidence.beyond and evidence.beyond.high <= limits.acceptable:
        return Verdict(
            SAFE,
            f"At most {_percent(metallized.high)} of the frames are metallic and at most "
            f"{_percent(evidence.beyond.high)} beyond the window, {tolerated}{_width(evidence)}",
        )
    assert evidence.lawful is not None
    return Verdict(
        SAFE,
        f"By the gap law at most {_percent(evidence.lawful)} of the frames are metallic, {tolerated} None of "
        f"{evidence.computed} computed ones is.{_width(evidence)}",
    )


def _accuse(evidence: Evidence, metallized: Fraction, limits: Thresholds, reference: Fraction | None) -> Verdict:
    found = (
        f"At least {_percent(metallized.low)} of the frames are metallic ({_interval(metallized)}), with "
        f"{_percent(limits.acceptable)} acceptable."
    )
    if reference is None:
        return Verdict(FALSE, found + _width(evidence))
    beside = f" The reference has {_interval(reference)}."
    _, low, _ = excess(metallized, reference)
    if reference.low > limits.acceptable:
        more = f" The pair exceeds it by {_percent(low)} at least." if low > 0.0 else ""
        return Verdict(
            UNDECIDED,
            f"{found}{beside} It is metallized itself: the metal may be real.{more}",
            "A reference that is not metallized, or a functional with a larger gap, decides.",
        )
    if low > 0.0:
        return Verdict(FALSE, f"{found}{beside} The pair exceeds it by {_percent(low)} at least.{_width(evidence)}")
    return Verdict(UNDECIDED, f"{found}{beside} The two cannot be told apart.", _to_tell_apart(metallized, reference))


def _to_tell_apart(pair: Fraction, reference: Fraction) -> str:
    """How many times the frames of both, their fractions staying as they are."""

    def enough(times: float) -> bool:
        return excess(_grown(pair, times), _grown(reference, times))[1] > 0.0

    times = smallest_trials(enough, 1.0)
    if times is None:
        return "No number of frames tells them apart: the pair's fraction does not exceed the reference's."
    return f"{_number(times)} times as many frames of both, their fractions staying, tell them apart."


def _grown(fraction: Fraction, times: float) -> Fraction:
    trials = fraction.n_eff * times
    return Fraction(fraction.value, *wilson(fraction.value, trials, fraction.confidence), trials, fraction.confidence)


# What stands against `safe`: each check returns a reason and a remedy, or None.
Point = tuple[str, str] | None


def _check_frames(evidence: Evidence, limits: Thresholds) -> Point:
    metallized, missing = evidence.metallized, evidence.selected - evidence.computed
    lost = "frame" if missing == 1 else f"{missing} frames"
    first = f"The {lost} without a gap come{'s' * (missing == 1)} first. " if missing else ""
    if metallized is None or not evidence.computed:
        needed = smallest_trials(lambda n: wilson(0.0, n, limits.confidence)[1] <= limits.acceptable, 1.0)
        return "No frame has a computed gap.", first + _frames(needed, ", none of them metallic, would make it safe.")
    if metallized.high <= limits.acceptable or _by_law(evidence, limits):
        return None
    have = "has no gap, and may be" if missing == 1 else "have no gap, and any of them may be"
    unknown = f"; {missing} of {evidence.selected} frames {have}" if missing else ""
    reason = (
        f"Up to {_percent(metallized.high)} of the frames may be metallic ({_interval(metallized)}), with "
        f"{_percent(limits.acceptable)} acceptable{unknown}."
    )
    if evidence.lawful is not None:
        reason += f" By the gap law it is up to {_percent(evidence.lawful)}, which more MD narrows."
    safe = metallized.value <= limits.acceptable

    def enough(trials: float) -> bool:
        low, high = wilson(metallized.value, trials, limits.confidence)
        return high <= limits.acceptable if safe else low > limits.acceptable

    needed = smallest_trials(enough, metallized.n_eff)
    # Wilson's interval stands in for that of the pooled seeds, which may be the wider one: then it asks for no frame.
    more = None if needed is None else max((needed / metallized.n_eff - 1.0) * evidence.selected, 1.0)
    outcome = SAFE if safe else FALSE
    return reason, first + _frames(more, f" more, with the same fraction, would make it {outcome}.")


def _by_law(evidence: Evidence, limits: Thresholds) -> bool:
    """Whether the gap law shows what computed frames cannot: it weighs every frame, those beyond the window too."""
    return evidence.lawful is not None and evidence.lawful <= limits.acceptable


def _check_window(evidence: Evidence, limits: Thresholds) -> Point:
    beyond = evidence.beyond
    if _by_law(evidence, limits):
        return None
    if beyond is None:
        return "No dipole series says how often the window is left.", "The dipole series of the MD is needed."
    if beyond.high <= limits.acceptable:
        return None
    reason = f"Up to {_percent(beyond.high)} of the trajectory lies beyond the window ({_interval(beyond)})."
    if beyond.value > limits.acceptable:
        return reason, "Frames from beyond the window show whether the gap closes there."
    needed = smallest_trials(lambda n: wilson(beyond.value, n, limits.confidence)[1] <= limits.acceptable, beyond.n_eff)
    if needed is None:
        return reason, "No length of MD shows a fraction this small."
    times = needed / beyond.n_eff - 1.0
    more = f"{_number(times)} times as much MD again"
    if evidence.sampled_ps is not None:
        more = f"{_number(times * evidence.sampled_ps)} ps more of MD"
    return reason, f"{more}, with the same fraction, would bring the bound down."


def _check_seeds(evidence: Evidence, limits: Thresholds) -> Point:
    if evidence.rhat is None:
        return "Nothing says whether the trajectory has forgotten its start (no R-hat).", "A second seed decides."
    if evidence.seeds_disagree or evidence.disagreeing:
        named = ", ".join(str(seed) for seed in evidence.disagreeing)
        which = f" (seed {named})" if named else ""
        return f"The seeds disagree{which}.", "All seeds have to run longer, until they agree."
    if not evidence.rhat <= limits.rhat:
        return (
            f"R-hat is {evidence.rhat:.3g}, above {limits.rhat:.3g}.",
            f"{_longer(evidence.rhat, limits.rhat)} brings R-hat down if the seeds only need time.",
        )
    return None


def _longer(rhat: float, limit: float) -> str:
    """R-hat squared less 1 falls as one over the time if the seeds sample the same distribution."""
    if not math.isfinite(rhat):
        return "MD in which the dipole moves"
    return f"{_number((rhat**2 - 1.0) / (limit**2 - 1.0))} times the length of every seed"


def _check_md(evidence: Evidence, limits: Thresholds) -> Point:
    if evidence.md_message:
        return f"The MD ended early: {evidence.md_message.rstrip('.')}.", "MD that runs to its end is needed."
    return None


def _check_missing(evidence: Evidence, limits: Thresholds) -> Point:
    if evidence.missing:
        return " ".join(evidence.missing), "Every seed has to be there."
    return None


CHECKS: tuple[Callable[[Evidence, Thresholds], Point], ...] = (
    _check_frames,
    _check_window,
    _check_seeds,
    _check_md,
    _check_missing,
)


def _frames(count: float | None, what: str) -> str:
    if count is None:
        return "No number of frames decides at this threshold."
    number = math.ceil(count)
    return f"{number} frame{'s' * (number != 1)}{what}"


def _width(evidence: Evidence) -> str:
    """A warning where the dipole's distribution is too wide, whatever the verdict."""
    ratio = evidence.sd_ratio
    if ratio is None or ratio.low <= WIDE:
        return ""
    return (
        f" The dipole's spread is {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] times the expected one: a "
        "thicker film would leave the window more often."
    )


def _percent(fraction: float) -> str:
    """In percent with two significant digits, or whole percent from ten on."""
    return f"{_plain(100.0 * fraction)} %"


def _plain(percent: float) -> str:
    return f"{percent:.0f}" if percent >= 10.0 else f"{percent:.2g}"


def _interval(fraction: Fraction) -> str:
    value, low, high = (_plain(100.0 * share) for share in (fraction.value, fraction.low, fraction.high))
    return f"{value} % [{low}, {high}]"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 100.0 else f"{value:.0f}"
