"""A teacher whose features the backbone learns to predict, and what a student needs for it."""

from training.distillation.cells import Cells, Kept, cell_means
from training.distillation.loss import distillation_losses
from training.distillation.notes import Notes, make_notes, write_notes
from training.distillation.student import Student
from training.distillation.targets import HalfWhitening
from training.distillation.teacher import Teacher

__all__ = [
    "Cells",
    "HalfWhitening",
    "Kept",
    "Notes",
    "Student",
    "Teacher",
    "cell_means",
    "distillation_losses",
    "make_notes",
    "write_notes",
]
