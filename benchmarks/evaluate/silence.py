"""Who is active again: the inactivity model against its rivals, recency alone and a fixed limit."""

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from benchmarks.evaluate import data, rivals
from benchmarks.evaluate.plots import bars
from benchmarks.report import Figures
from online_models.calibration import ranked_auc
from online_models.inactivity import Parameters, active_alarm_gap, log_likelihood, p_active, p_alive
from online_models.rhythms import HORIZON, fit_parameters

WEEKS = 39  # of CDNOW that are looked at, and that are then waited for
REGULAR = 3  # active days that a Debian uploader must have
PUBLISHED = {
    "BG/NBD": ".243 4.414 .793 2.426, −9582.4",
    "MBG/NBD": ".525 6.183 .891 1.614, −9582.1",
    "Pareto/NBD": ".553 10.578 .606 11.669, −9595.0",
}


def histories(days: Mapping[str, Sequence[int]], end: int, least: int = 1) -> dict[str, rivals.History]:
    """Per somebody with at least so many active days until the end: repeats, recency and age in weeks."""
    found = {}
    for who, of_one in days.items():
        seen = sorted({day for day in of_one if day <= end})
        if len(seen) >= least:
            found[who] = (len(seen) - 1, (seen[-1] - seen[0]) / 7, (end - seen[0]) / 7)
    return found


def compare(
    days: Mapping[str, Sequence[int]], end: int, horizon: int, least: int
) -> tuple[int, dict[str, float]]:
    """AUC of each way to say who is active within so many days after the end."""
    known = histories(days, end, least)
    came = {who: any(end < day <= end + horizon for day in days[who]) for who in known}
    everybody = list(histories(days, end).values())
    mbg = fit_parameters(everybody)
    bg, _ = rivals.maximise(rivals.bg_nbd, everybody, (1, 1, 1, 1))
    pareto, _ = rivals.maximise(rivals.pareto_nbd, everybody, (1, 5, 1, 5))
    columns = np.array(list(known.values()), dtype=float).T
    scores = {
        "BG/NBD P(alive)": list(rivals.bg_alive(bg, *columns)),
        "Pareto/NBD P(alive)": list(rivals.pareto_alive(pareto, *columns)),
        "MBG/NBD P(alive)": [p_alive(mbg, *one) for one in known.values()],
        "MBG/NBD P(active in h)": [p_active(mbg, *one, horizon / 7) for one in known.values()],
        "recency alone": [recency - age for _, recency, age in known.values()],
        "fixed 90 days": [float(age - recency <= 90 / 7) for _, recency, age in known.values()],
    }
    return len(known), {
        name: ranked_auc(list(zip(map(float, values), came.values(), strict=True))) or 0.5
        for name, values in scores.items()
    }


def delays(days: Mapping[str, Sequence[int]], share: float) -> tuple[float, float]:
    """Days after which a silence is flagged, fixed and by the model, with so many false alarms.

    False alarms: of the completed gaps of regulars. Medians over the last gaps of regulars.
    """
    end = max(day for of_one in days.values() for day in of_one)
    parameters = fit_parameters(list(histories(days, end).values()))
    gaps, last = [], []
    for of_one in days.values():
        seen = sorted({day for day in of_one if day <= end})
        for n in range(REGULAR - 1, len(seen)):
            history = n, (seen[n] - seen[0]) / 7
            if n + 1 < len(seen):
                gaps.append((*history, seen[n + 1] - seen[n]))
            else:
                last.append(history)
    fixed = sorted(gap for _, _, gap in gaps)[int((1 - share) * len(gaps))]
    ended = sorted(p_active(parameters, n, recency, recency + gap / 7, HORIZON) for n, recency, gap in gaps)
    threshold = ended[int(share * len(ended))]
    return fixed, median(7 * active_alarm_gap(parameters, *one, threshold, HORIZON) for one in last)


def figures(quick: bool) -> Figures:
    """Published fits, AUC, and days until a silence is flagged."""
    sample = {who: [one.day for one in bought] for who, bought in data.cdnow().items()}
    begin = min(day for days in sample.values() for day in days)
    end = begin + 7 * WEEKS - 1  # 30 September 1997
    sets = {"CDNOW sample": (sample, end, 7 * WEEKS, 1)}
    if not quick:
        master = {who: [one.day for one in bought] for who, bought in data.cdnow("master").items()}
        sets["CDNOW master"] = (master, end, 7 * WEEKS, 1)
    if uploads := data.debian():
        last = sorted(day for days in uploads.values() for day in days)[-1]
        sets["Debian uploads"] = (uploads, last - 2 * 365, 365, REGULAR)
    results = {name: compare(*one) for name, one in sets.items()}
    methods = list(next(iter(results.values()))[1])
    table = [[method, *(f"{found[method]:.3f}" for _, found in results.values())] for method in methods]
    bars(
        "models/silence.svg",
        "Who is active again? (0.5: a guess, 1: always right)",
        {name: {method: found[method] for method in methods} for name, (_, found) in results.items()},
    )
    waits = [
        [name, f"{share:.0%}".replace("%", " %"), *(f"{wait:.0f}" for wait in delays(days, share))]
        for name, (days, *_) in sets.items()
        for share in (0.1, 0.2)
    ]
    known = list(histories(sample, end).values())
    return [
        (
            "Published fits of CDNOW's sample, reproduced",
            ["model", "found", "published"],
            fits(known),
            "r α a b (Pareto/NBD: r α s β), log-likelihood.",
        ),
        (
            "AUC: who is active again",
            ["", *(f"{name} ({number:,})" for name, (number, _) in results.items())],
            table,
            f"CDNOW: {WEEKS} weeks seen, {WEEKS} waited. Debian: uploaders with {REGULAR} active days, seen "
            "until two years before the newest upload, one year waited. Change logs on a machine are cut to "
            "the latest changes, so who was active lately is among them more often.",
        ),
        (
            "Days until a silence is flagged (median of the last gaps)",
            ["data", "false alarms", "fixed limit", "MBG/NBD"],
            waits,
            "False alarms: share of the completed gaps, from the third active day on, that raised one. "
            "The model's by P(active in 30 days). Both limits were tuned on these gaps; counted like this a "
            "fixed limit, the same for everybody, is the earlier one.",
        ),
    ]


def fits(known: Sequence[rivals.History]) -> list[list[str]]:
    """Each model's parameters and log-likelihood beside the published ones."""

    def told(values: Sequence[float], total: float) -> str:
        return f"{' '.join(f'{value:.3f}'.lstrip('0') for value in values)}, −{-total:.1f}"

    mbg: Parameters = fit_parameters(known)
    found = {
        "BG/NBD": told(*rivals.maximise(rivals.bg_nbd, known, (1, 1, 1, 1))),
        "MBG/NBD": told((mbg.r, mbg.alpha, mbg.a, mbg.b), sum(log_likelihood(mbg, *one) for one in known)),
        "Pareto/NBD": told(*rivals.maximise(rivals.pareto_nbd, known, (1, 5, 1, 5))),
    }
    return [[name, values, PUBLISHED[name]] for name, values in found.items()]
