"""Hold-outs, and the plain recommenders that weir is compared with."""

import math
from collections import Counter, defaultdict

NEAREST = 50


def hold_out(ratings, nth):
    """Splits ratings into what is known, in order of time, and {user: item} to be found.

    A user's ratings are ordered by time, then by item id; the nth last is held out and what
    comes after it is dropped. Users with too few ratings stay known and are not asked for.
    """
    by_user = defaultdict(list)
    for rating in ratings:
        by_user[rating.user].append(rating)
    known, held = [], {}
    for user, own in by_user.items():
        own.sort(key=lambda rating: (rating.timestamp, int(rating.item)))
        if len(own) > nth:
            held[user] = own[-nth].item
            own = own[:-nth]
        known.extend(own)
    known.sort(key=lambda rating: (rating.timestamp, int(rating.user), int(rating.item)))
    return known, held


def histories(known):
    """Returns each user's items, oldest first."""
    found = defaultdict(list)
    for rating in known:
        found[rating.user].append(rating.item)
    return found


class Popularity:
    """Recommends what most have met."""

    def __init__(self, known):
        self.histories = histories(known)
        count = Counter(rating.item for rating in known)
        self.order = sorted(count, key=lambda item: (-count[item], int(item)))

    def recommend(self, user, limit):
        seen = set(self.histories[user])
        return [item for item in self.order if item not in seen][:limit]


class ItemKnn:
    """Recommends by cosine: an item is scored by those of its 50 nearest that the user has met."""

    def __init__(self, known):
        self.histories = histories(known)
        self.follows = _follows(self.histories)

    def recommend(self, user, limit, fall=0.0):
        """The user's nth newest item counts n ** -fall: 0 makes all alike, 1 favours the newest."""
        history = self.histories[user]
        score = defaultdict(float)
        for age, item in enumerate(reversed(history), 1):
            for other, cosine in self.follows[item]:
                score[other] += age**-fall * cosine
        for item in history:
            score.pop(item, None)
        return sorted(score, key=lambda item: (-score[item], int(item)))[:limit]


def _follows(user_histories):
    """Returns {item: [(other, cosine)]} for the others that have the item among their nearest."""
    together = defaultdict(Counter)
    for items in user_histories.values():
        for item in items:
            together[item].update(items)
    follows = defaultdict(list)
    for item, others in together.items():
        cosines = [(other, count / math.sqrt(others[item] * together[other][other]))
                   for other, count in others.items() if other != item]
        for other, cosine in sorted(cosines, key=lambda row: (-row[1], int(row[0])))[:NEAREST]:
            follows[other].append((item, cosine))
    return follows


def quality(recommend, held, limit=10):
    """Returns hit rate and NDCG of `recommend(user)`, a list of items, over all that are held out."""
    hits = gain = 0.0
    for user, item in held.items():
        answer = recommend(user)[:limit]
        if item in answer:
            hits += 1
            gain += 1 / math.log2(answer.index(item) + 2)
    return hits / len(held), gain / len(held)
