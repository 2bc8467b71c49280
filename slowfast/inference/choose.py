"""What of all that a model tells is asked for: some of its classes, and scores from a threshold on."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from slowfast.structures.outputs.moment import ActionClass, ActionScore, ClipClasses, Moment


@dataclass(frozen=True)
class Choice:
    """classes: those that are told, in the order of the model; score: people and actions below it are left out."""

    classes: tuple[ActionClass, ...]
    score: float

    @classmethod
    def of(cls, known: tuple[ActionClass, ...], names: Iterable[str] | None, score: float) -> "Choice":
        """Raises ValueError for a name that the model does not know, with those that are near, and for a score that is none."""
        if not 0 <= score <= 1:
            raise ValueError(f"--score is a probability, from 0 to 1, got {score:g}")
        if names is None:
            return cls(known, score)
        asked = [names] if isinstance(names, str) else list(names)
        by_name = {action.name: action for action in known}
        for name in asked:
            if name not in by_name:
                near = difflib.get_close_matches(name, by_name, n=3, cutoff=0.4)
                told = f"did you mean {' or '.join(map(repr, near))}?" if near else "it knows " + _some(by_name)
                raise ValueError(f"--classes {name!r}: the model has no such class; {told}")
        wanted = set(asked)
        return cls(tuple(action for action in known if action.name in wanted), score)

    def of_moment(self, moment: Moment) -> Moment:
        """People that are likely enough, with the chosen actions that are."""
        people = (
            replace(person, actions=self._of(person.actions)) for person in moment.people if person.score >= self.score
        )
        return replace(moment, people=tuple(people))

    def of_people(self, moment: Moment) -> Moment:
        """People that are likely enough, with the chosen actions however likely they are."""
        return replace(self, score=0.0).of_moment(
            replace(moment, people=tuple(person for person in moment.people if person.score >= self.score))
        )

    def of_clip(self, clip: ClipClasses, top: int | None = None) -> ClipClasses:
        """The chosen classes that are likely enough, the `top` likeliest of them."""
        return replace(clip, classes=self._of(clip.classes)[:top])

    def _of(self, actions: tuple[ActionScore, ...]) -> tuple[ActionScore, ...]:
        wanted = {action.id for action in self.classes}
        return tuple(action for action in actions if action.score >= self.score and action.id in wanted)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:10]) + (f" and {len(listed) - 10} more" if len(listed) > 10 else "")
