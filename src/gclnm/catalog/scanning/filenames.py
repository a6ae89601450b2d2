"""What names say of images without DICOM identity: patient, modality, which mask is whose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gclnm.images.files.headers import MASK_WORDS, ImageHeader, name_tokens, stem

__all__ = ["image_of", "modality_of", "patient_of", "roi_name"]

MODALITY_WORDS = {
    "CT": {"ct", "cta", "cect", "vmi"},
    "MR": {"mr", "mri", "t1", "t2", "t1w", "t2w", "adc", "dwi", "flair", "dce"},
    "PT": {"pet", "pt", "suv"},
}


def modality_of(path: str, root: Path) -> str:
    """Modality by a word of the file's name, else of its folders, nearest first; else empty.

    Examples
    --------
    >>> modality_of("/data/P01/T2.nii.gz", Path("/data")), modality_of("/data/P01/a.nrrd", Path("/data"))
    ('MR', '')
    """
    folders = Path(path).relative_to(root).parts[:-1] if Path(path) != root else ()
    for words in (name_tokens(path), *(name_tokens(folder) for folder in reversed(folders))):
        lowered = {word.lower() for word in words}
        named = [modality for modality, known in MODALITY_WORDS.items() if lowered & known]
        if len(named) == 1:
            return named[0]
    return ""


def patient_of(path: str, root: Path) -> str:
    """The first folder below the root, or the file's stem where it lies in the root itself.

    Examples
    --------
    >>> patient_of("/data/P01/CT/image.nii", Path("/data")), patient_of("/data/P02.nii.gz", Path("/data"))
    ('P01', 'P02')
    """
    parts = Path(path).relative_to(root).parts if Path(path) != root else ()
    return parts[0] if len(parts) > 1 else stem(path)


def _rest(mask: str) -> list[str]:
    return [word for word in name_tokens(mask) if word.lower() not in MASK_WORDS]


def image_of(mask: str, images: Sequence[ImageHeader]) -> ImageHeader | None:
    """The image of a mask among those in its folder, by its name; None where the names do not decide.

    Its words must all be among the mask's; the longest such name wins. Else it is the only image.
    """
    words = [word.lower() for word in _rest(mask)]

    def fits(image: ImageHeader) -> bool:
        own = [word.lower() for word in name_tokens(image.file)]
        return all(own.count(word) <= words.count(word) for word in own)

    fitting = [image for image in images if fits(image)]
    longest = max((len(name_tokens(image.file)) for image in fitting), default=0)
    best = [image for image in fitting if len(name_tokens(image.file)) == longest]
    if len(best) == 1:
        return best[0]
    return images[0] if len(images) == 1 else None


def roi_name(mask: str, image: ImageHeader | None) -> str:
    """What a mask's name says beside its image's name and the words of masks; else its stem.

    Examples
    --------
    >>> roi_name("P01_GTV_mask.nii.gz", None), roi_name("mask.nii.gz", None)
    ('P01_GTV', 'mask')
    """
    known = {word.lower() for word in name_tokens(image.file)} if image else set()
    own = [word for word in _rest(mask) if word.lower() not in known]
    return "_".join(own) or "_".join(_rest(mask)) or stem(mask)
