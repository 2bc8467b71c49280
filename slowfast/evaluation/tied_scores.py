"""Expected precision where scores tie: the mean over all orders of the tied rows, every order as likely. Numpy only.

A step is all rows of one score, n rows of which k are hits; before it, d detections with h hits. All functions take
these four for the S steps of a curve that hold a hit, from the highest score down, as (S,) int arrays:
    hits_before h, detections_before d, hits k in 1..n, rows n

Raw precision is exact, in closed form. Row x of a step is a hit with probability k / n, and then (x - 1) r of the rows
before it are hits on average, r = (k - 1) / (n - 1): the sum over the hits of (h + hits so far) / (d + x) has the mean
    k / n * (n r + (h + 1 - r (d + 1)) * (1 / (d + 1) + ... + 1 / (d + n)))

Interpolated precision is a maximum over all later hits. Let L(t) be the last hit whose precision is above t; hit i has
an interpolated precision above t where i <= L(t), so its mean is the integral of P(L(t) >= i) over t from 0 to 1.
1. Precision is above t at hit c of a step where its place X_c <= u_c, the whole part of (h + c) / t - d. The last such c
   is the last for which exactly c hits lie in the first u_c rows (else the next one would be such a c, too). So
       P(last = c) = P(c hits in the first u_c rows) * w_c,   1 = w_c + sum over c' > c of P(c' at u_c' | c at u_c) w_c',
   all hypergeometric. Steps are independent: the last step with such a hit decides.
2. That costs k * k / 2 numbers a level t. Where it is not worth them, w_c is what the ballot theorem (Takacs 1962)
   gives for places that are not whole numbers, (d + n - (h + k) / t) / (d + n - (h + c) / t): exact on average over the
   fraction of u_c, which lowers w_c by up to the rate of the hits to come. What this leaves was measured to be less than
   BALLOT_ERROR k / (n - k) (high - low) hits a step, and it is used for the steps, least first, whose sum of that stays
   below BALLOT_SHARE of all hits. A class with few hits has none of them.
3. P(L(t) >= i) changes only where t is one of the precisions that can occur. Up to EXACT_LEVELS of them, the integral is
   a finite sum over w_c as in 1, exact. Beyond, the midpoint rule on cells of at most 1 / LEVELS; the integrand is the
   difference of two falling functions within [0, 1], so the rule is wrong by at most a cell, 1 / LEVELS < 1e-3, for any
   hit and any mean of hits. Measured, with that of 2: below 5e-4, most often below 1e-4.
Where hits and misses share no score, nothing of this is computed.
"""

from typing import NamedTuple

import numpy as np

EXACT_LEVELS = 2048
LEVELS = 1024
MIN_CELLS = 64
BALLOT_ERROR, BALLOT_SHARE = 0.5, 5e-4
BLOCK = 1 << 20  # numbers worked on at a time
NEGLIGIBLE = 30.0  # events less likely than exp(-30) are left out
_EULER = 0.57721566490153286
_FIRST_HARMONIC = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, 64))])


def summed_precision(
    hits_before: np.ndarray, detections_before: np.ndarray, hits: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """(S,) float64: the expected sum, over the hits of each step, of the precision at each hit."""
    total = hits * ((hits_before + hits) / (detections_before + rows))
    many = np.flatnonzero(rows > 1)
    if len(many):
        h, d, k, n = (column[many] for column in (hits_before, detections_before, hits, rows))
        rate = (k - 1) / (n - 1)
        total[many] = k / n * (n * rate + (h + 1 - rate * (d + 1)) * (_harmonic(d + n) - _harmonic(d)))
    return total


def summed_precision_before(
    hits_before: np.ndarray, detections_before: np.ndarray, hits: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """(S,) float64: as `summed_precision`, but of the precision just before each hit; 1 before any detection."""
    first = detections_before == 0
    before = np.divide(hits_before, detections_before, out=np.ones(len(hits)), where=~first)
    many = np.flatnonzero(rows > 1)
    if len(many):
        h, d, k, n, none = (column[many] for column in (hits_before, detections_before, hits, rows, first))
        rate = (k - 1) / (n - 1)
        later = n * rate + (h - rate * d) * (_harmonic(d + n - 1) - _harmonic(np.maximum(d - 1, 0)))
        before[many] = np.where(none, 1 + (n - 1) * rate, later) / n
    return hits * before


def _harmonic(n: np.ndarray) -> np.ndarray:
    """1 + 1/2 + ... + 1/n of whole numbers from 0."""
    x = np.maximum(n, 1).astype(np.float64)
    square = x * x
    series = np.log(x) + _EULER + 1 / (2 * x) - (1 - (1 - 10 / (21 * square)) / (10 * square)) / (12 * square)
    return np.where(n < len(_FIRST_HARMONIC), _FIRST_HARMONIC.take(n, mode="clip"), series)


class _Steps(NamedTuple):
    """Steps with hits and misses: h, d, k, n as above. For t from `low` to `high` one may hold the last hit above t."""

    h: np.ndarray
    d: np.ndarray
    k: np.ndarray
    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ballot: np.ndarray  # bool: by the ballot theorem

    def take(self, places: np.ndarray) -> "_Steps":
        return _Steps(*(column[places] for column in self))


def interpolated_precision(
    hits_before: np.ndarray, detections_before: np.ndarray, hits: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """(H,) float64, falling: the expected interpolated precision at the first, second, ... of all H hits.

    Interpolated: the best precision at this hit or any later one. See the top of this file for the errors.
    """
    after = hits_before + hits
    sure = np.maximum.accumulate((after / (detections_before + rows))[::-1])[::-1]  # whatever the order
    certain = np.repeat(sure, hits)
    high = after / (detections_before + hits)  # hits first
    open_ = np.flatnonzero(high > sure)
    if not len(open_):
        return certain
    h, d, k, n = (column[open_].astype(np.int64) for column in (hits_before, detections_before, hits, rows))
    low, high = sure[open_], high[open_]
    steps = _Steps(h, d, k, n, low, high, _by_ballot(k, n, high - low, len(certain)))
    edges = _edges(steps)
    level, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, steps.n.max() + 1)))])
    moved, left = np.zeros(len(certain) + 1), np.zeros(len(level))  # probability times width
    for nodes, places in _blocks(steps, level):
        own = steps.take(places)
        pair, hit, chance = _last_hits(own, level[nodes], log_factorial)
        reached = _product_of_earlier(1 - np.bincount(pair, chance, minlength=len(places)), nodes)
        share = (width[nodes] * reached)[pair] * chance
        moved += np.bincount(own.h[pair] + hit, share, minlength=len(moved))
        left += np.bincount(nodes[pair], share, minlength=len(left))
    above = len(sure) - np.searchsorted(sure[::-1], level, side="right")  # steps whose sure precision is above
    moved -= np.bincount(np.append(0, after)[above], left, minlength=len(moved))
    return certain + np.cumsum(moved[:0:-1])[::-1]


def _by_ballot(k: np.ndarray, n: np.ndarray, span: np.ndarray, num_hits: int) -> np.ndarray:
    """(S,) bool, see 2. at the top of this file."""
    if (n * k).sum() <= EXACT_LEVELS:
        return np.zeros(len(k), dtype=bool)
    error = BALLOT_ERROR * k / (n - k) * span
    order = np.argsort(error, kind="stable")
    ballot = np.empty(len(k), dtype=bool)
    ballot[order] = np.cumsum(error[order]) <= BALLOT_SHARE * num_hits
    return ballot


def _edges(steps: _Steps) -> np.ndarray:
    """Between two of these values of t the integrand is taken to be constant, which up to EXACT_LEVELS it is."""
    if (steps.n * steps.k).sum() > EXACT_LEVELS:
        low, high = steps.low.min(), steps.high.max()
        return np.linspace(low, high, max(MIN_CELLS, int(np.ceil((high - low) * LEVELS))) + 1)
    size = steps.n * steps.k
    step = np.repeat(np.arange(len(size)), size)
    number = np.arange(len(step)) - np.repeat(np.cumsum(size) - size, size)
    own = steps.take(step)
    values = (own.h + 1 + number // own.n) / (own.d + 1 + number % own.n)
    return np.unique(np.concatenate([steps.low, steps.high, values[(values > own.low) & (values < own.high)]]))


def _blocks(steps: _Steps, level: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(node, step) for each pair of a level and a step it concerns, in blocks that hold whole nodes; the last step first."""
    first, stop = np.searchsorted(level, steps.low), np.searchsorted(level, steps.high)
    count = np.maximum(stop - first, 0)
    place = np.repeat(np.arange(len(count)), count)
    node = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count) + first[place]
    order = np.lexsort((-place, node))
    place, node = place[order], node[order]
    block = np.cumsum(_hits_that_matter(steps.take(place), level[node])) // BLOCK
    starts = np.flatnonzero(np.diff(block, prepend=0))
    cuts = np.unique(np.searchsorted(node, node[starts]))
    return list(zip(np.split(node, cuts), np.split(place, cuts), strict=True))


def _hits_that_matter(steps: _Steps, level: np.ndarray) -> np.ndarray:
    """(P,) int: how many hits of each step may be its last above its level; beyond it is less likely than exp(-30).

    By Hoeffding, c hits in the first u rows have a probability of at most exp(-2 (c - u k / n) ** 2 / u) for c > u k / n.
    """
    rate = steps.k / steps.n
    slope, offset = 1 - rate / level, rate * (steps.d - steps.h / level)
    per_hit, start = NEGLIGIBLE / 2 / level, NEGLIGIBLE / 2 * (steps.h / level - steps.d)
    # The larger c with (slope c + offset) ** 2 = per_hit c + start
    a, b, c = slope**2, 2 * slope * offset - per_hit, offset**2 - start
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (np.sqrt(np.maximum(b * b - 4 * a * c, 0)) - b) / (2 * a)
    bounded = (slope > 0) & np.isfinite(root)
    return np.where(bounded, np.clip(np.where(bounded, root, 0) + 2, 1, steps.k), steps.k).astype(np.int64)


def _last_hits(
    steps: _Steps, level: np.ndarray, log_factorial: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P steps, each with a level -> (pair, hit from 1, probability that it is the last of its step above the level)."""
    size = _hits_that_matter(steps, level)
    start = np.cumsum(size) - size
    pair = np.repeat(np.arange(len(size)), size)
    hit = np.arange(len(pair)) - start[pair] + 1
    own, t = steps.take(pair), level[pair]
    line = (own.h + hit) / t
    first = np.clip(np.floor(line).astype(np.int64) - own.d, 0, own.n)
    rest = _log_binomial(log_factorial, own.n - first, own.k - hit)
    here = _log_binomial(log_factorial, first, hit) + rest - _log_binomial(log_factorial, own.n, own.k)
    never_again = _by_ballot_theorem(own, hit, first, line)
    for width in np.unique(size[~steps.ballot & (steps.k > 1)]):
        at = start[~steps.ballot & (size == width)][:, None] + np.arange(width)
        never_again[at] = _by_recursion(first[at], rest[at], log_factorial)
    return pair, hit, np.exp(here) * never_again


def _by_ballot_theorem(own: _Steps, hit: np.ndarray, first: np.ndarray, line: np.ndarray) -> np.ndarray:
    """w_c of 2.; hit: c; first: u_c; line: u_c + d before it is made whole. All (n,)."""
    end, still, fraction = own.d + own.n - line, own.k - hit, line - own.d - first
    steepness = line / (own.h + hit)  # 1 / t
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.clip(still / (own.n - first), 0, 1)
        w = (1 - still * steepness / end) * (1 - rate * fraction) / (1 - rate / 2)
    return np.where(still == 0, 1.0, np.clip(np.nan_to_num(w), 0, 1))


def _by_recursion(first: np.ndarray, rest: np.ndarray, log_factorial: np.ndarray) -> np.ndarray:
    """w_c of 1. first: (p, k) u_c; rest: (p, k) log of the ways to place the hits after c."""
    w = np.ones(first.shape)
    for c in range(first.shape[1] - 2, -1, -1):
        rows = first[:, c + 1 :] - first[:, c : c + 1]
        hits = np.arange(1, rows.shape[1] + 1)
        ways = log_factorial.take(rows) - log_factorial.take(hits) - log_factorial.take(rows - hits, mode="clip")
        known = np.where(np.isfinite(rest[:, c : c + 1]), rest[:, c : c + 1], np.inf)  # else it cannot happen at all
        chance = np.exp(ways + rest[:, c + 1 :] - known)
        w[:, c] = 1 - np.where(rows >= hits, chance * w[:, c + 1 :], 0).sum(axis=1)
    return np.clip(w, 0, 1)


def _log_binomial(log_factorial: np.ndarray, n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """log (n over k); -inf outside 0 <= k <= n."""
    low, high, rest = (log_factorial.take(x, mode="clip") for x in (k, n, n - k))
    return np.where((k >= 0) & (n >= k), high - low - rest, -np.inf)


def _product_of_earlier(chance: np.ndarray, node: np.ndarray) -> np.ndarray:
    """(P,) the product of the entries before each one of its node; node (P,) rises."""
    logs = np.log(np.maximum(chance, 1e-300))
    before = np.cumsum(logs) - logs
    return np.exp(before - before[np.searchsorted(node, node)])
