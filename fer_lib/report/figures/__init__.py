"""The figures, in one style. Each function returns the figure, the numbers it shows, and what one sees."""

from fer_lib.report.figures.ablation import ablation_effects
from fer_lib.report.figures.au_verification import (
    agreement_dots,
    calibration,
    criteria_panels,
    divergence_map,
    planted_curves,
    response_histograms,
    strongest_associations,
    survivor_panels,
    unit_counts,
)
from fer_lib.report.figures.cross_task import macro_dots, unit_map
from fer_lib.report.figures.deconvolution import extremum_points, filter_strengths, strongest_filters
from fer_lib.report.figures.derl import (
    gan_curves,
    layer_place_dots,
    neutral_grid,
    quality_dots,
    residue_grid,
)
from fer_lib.report.figures.faces import PEOPLE_AT_LEAST, au_by_emotion, class_counts, mean_faces, sample_grid
from fer_lib.report.figures.folds import fold_accuracies
from fer_lib.report.figures.hardest import hardest_grid
from fer_lib.report.figures.interventions import dose_response, effect_map, filter_gallery, silencing
from fer_lib.report.figures.micro import contender_dots, spotting_dots, trajectory_panels
from fer_lib.report.figures.projections import cascade_lines, localisation_dots
from fer_lib.report.figures.reliability import reliability_diagram
from fer_lib.report.figures.selection import selection_dumbbells
from fer_lib.report.figures.study import (
    cost_and_accuracy,
    ladder_steps,
    paired_differences,
    structure_loss_map,
    variance_bars,
)
from fer_lib.report.figures.style import Drawn, FigureError
from fer_lib.report.figures.synthetic import (
    clip_strip,
    expressions,
    face_rows,
    portraits,
    switched_units,
)
from fer_lib.report.figures.training import (
    confusion_matrix,
    first_layer_filters,
    learning_curve,
    per_class_bars,
)
from fer_lib.report.figures.transfer import factor_dots, transfer_drops, transfer_matrix, tuning_curves
from fer_lib.report.figures.worked_example import how_it_works

__all__ = [
    "PEOPLE_AT_LEAST",
    "Drawn",
    "FigureError",
    "ablation_effects",
    "agreement_dots",
    "au_by_emotion",
    "calibration",
    "cascade_lines",
    "class_counts",
    "clip_strip",
    "confusion_matrix",
    "contender_dots",
    "cost_and_accuracy",
    "criteria_panels",
    "divergence_map",
    "dose_response",
    "effect_map",
    "expressions",
    "extremum_points",
    "face_rows",
    "factor_dots",
    "filter_gallery",
    "filter_strengths",
    "first_layer_filters",
    "fold_accuracies",
    "gan_curves",
    "hardest_grid",
    "how_it_works",
    "ladder_steps",
    "layer_place_dots",
    "learning_curve",
    "localisation_dots",
    "macro_dots",
    "mean_faces",
    "neutral_grid",
    "paired_differences",
    "per_class_bars",
    "planted_curves",
    "portraits",
    "quality_dots",
    "reliability_diagram",
    "residue_grid",
    "response_histograms",
    "sample_grid",
    "selection_dumbbells",
    "silencing",
    "spotting_dots",
    "strongest_associations",
    "strongest_filters",
    "structure_loss_map",
    "survivor_panels",
    "switched_units",
    "trajectory_panels",
    "transfer_drops",
    "transfer_matrix",
    "tuning_curves",
    "unit_counts",
    "unit_map",
    "variance_bars",
]
