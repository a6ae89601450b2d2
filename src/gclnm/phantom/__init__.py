"""A digital cohort: DICOM of patients that nobody is, made from a seed, with known truth."""

from gclnm.phantom.cohort import Cohort, cohort

__all__ = ["Cohort", "cohort"]
