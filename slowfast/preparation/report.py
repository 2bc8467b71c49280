"""The page about a data set, with what the doctor found where there are detections."""

from pathlib import Path

from slowfast.preparation.doctor.doctor import Examination
from slowfast.preparation.doctor.page import examination_html, iou_figure
from slowfast.preparation.validation.check import Validation
from slowfast.preparation.validation.figures import data_figures
from slowfast.preparation.validation.page import page_of, page_samples
from slowfast.report.page import Section, figures_as_svg, plots, write_page


def write_validation_page(validation: Validation, out: Path, examination: Examination | None = None) -> None:
    """Write the page at `out`, and its plots beside it. Raises ImportError where matplotlib is missing."""
    figures, first = data_figures(validation.facts), []
    if examination is not None:
        figures["iou"] = iou_figure(examination)
        svg = figures_as_svg({"iou": figures["iou"]}, {"iou": "histogram of the best IoU of each annotated person"})
        first.append(Section("doctor", "Detections", examination_html(examination, plots(svg, "iou"))))
    write_page(page_of(validation, figures, page_samples(validation), first=first), figures, out)
