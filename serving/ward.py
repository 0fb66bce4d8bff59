"""What the doors answer from: verified models, or the reason why there are none."""

from dataclasses import dataclass, field
from pathlib import Path

from data_schemas.evidence import Evidence, load_evidence
from serving.assess import Assessor
from serving.model.artefact import Artefact, ArtefactRefused
from serving.model.store import load_current, withdrawn

NONE_IN_SERVICE = "no model is in service: run `make serve`, or `cart-risk promote`"


@dataclass
class Ward:
    """The models in service.

    ``artefacts`` and ``assessor`` are replaced as a whole and never changed: who read one of them
    once holds one model for each outcome, whatever is promoted meanwhile.
    """

    artefacts: dict[str, Artefact] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=load_evidence)
    refusal: str = NONE_IN_SERVICE
    """Why no model answers, while none does."""
    refused_update: str | None = None
    """Why what the store now holds was refused, while older models go on answering."""
    assessor: Assessor | None = field(init=False, repr=False, default=None)
    """Answers with the artefacts; None while there are none."""

    def __post_init__(self) -> None:
        """Make the models ready."""
        if self.artefacts:
            self.assessor = Assessor(self.artefacts, self.evidence)

    @property
    def ready(self) -> bool:
        """Tell whether every model in service was verified."""
        return bool(self.artefacts)

    @classmethod
    def open(cls, store: Path) -> "Ward":
        """Load what is current in the store; a refused artefact leaves the ward closed."""
        ward = cls()
        ward.reload(store)
        return ward

    def reload(self, store: Path) -> None:
        """Load what is current; what is refused changes nothing but the reason given."""
        try:
            artefacts, taken_out = load_current(store), withdrawn(store)
            self._expect_known_sources(artefacts)
        except ArtefactRefused as refusal:
            self.refused_update = str(refusal)
            self.refusal = f"a model in service was refused: {refusal}"
            return
        if lost := sorted(set(self.artefacts) - set(artefacts) - taken_out):
            self.refused_update = f"the store names no model for {', '.join(lost)} any more"
            return
        assessor = Assessor(artefacts, self.evidence) if artefacts else None
        self.refused_update = None
        self.refusal = _why_none(taken_out)
        self.artefacts, self.assessor = artefacts, assessor

    def _expect_known_sources(self, artefacts: dict[str, Artefact]) -> None:
        """Make sure that every cohort behind a base rate can be cited.

        Raises
        ------
        ArtefactRefused
            If a model cites one that the evidence of this release does not hold.
        """
        known = {row.id for row in self.evidence.incidence}
        for name, artefact in artefacts.items():
            cited = {source for cell in artefact.model.cells for source in cell.sources}
            if not cited <= known:
                message = "cites cohorts that the evidence of this release does not hold"
                raise ArtefactRefused(f"the model of {name} {message}: train it again")


def _why_none(taken_out: set[str]) -> str:
    """Say why no model answers where no other one does than those that were withdrawn."""
    if not taken_out:
        return NONE_IN_SERVICE
    names = " and ".join(sorted(taken_out))
    return f"no model is in service: {names} withdrawn; `cart-risk rollback` or `promote` ends that"
