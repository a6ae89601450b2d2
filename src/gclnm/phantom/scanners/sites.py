"""The hospitals of the cohort and the scanners that stand in them."""

from __future__ import annotations

from dataclasses import dataclass

from gclnm.phantom.scanners.ct import CtScanner
from gclnm.phantom.scanners.equipment import Equipment
from gclnm.phantom.scanners.mr import MrScanner
from gclnm.phantom.scanners.pet import PetScanner

__all__ = ["SITES", "Site"]


@dataclass(frozen=True)
class Site:
    """One hospital and its three scanners."""

    name: str
    ct: CtScanner
    mr: MrScanner
    pet: PetScanner


_GE = "GE MEDICAL SYSTEMS"
_SIEMENS = "SIEMENS"

SITES: tuple[Site, ...] = (
    Site(
        name="north",
        ct=CtScanner(
            Equipment(_GE, "Revolution CT", "CT01", "revo_ct_22bc.50", "700101"),
            matrix=256,
            fov_mm=420.0,
            thickness_mm=2.5,
            spacing_mm=2.5,
            slices=48,
            kernel="STANDARD",
            kvp=120.0,
            noise_hu=13.0,
            grain_mm=0.9,
            blur_mm=0.9,
            stored="signed",
        ),
        mr=MrScanner(
            Equipment(_GE, "SIGNA Architect", "MR01", "MR29.1_R03", "700102"),
            matrix=256,
            fov_mm=400.0,
            thickness_mm=5.0,
            spacing_mm=6.0,
            slices=21,
            te_ms=89.6,
            tr_ms=4600.0,
            flip_deg=142.0,
            echo_train=18,
            field_t=3.0,
            scale=2600.0,
            noise=0.022,
            blur_mm=0.8,
            tilt_deg=0.0,
            sequence_name="",
            options=("FAST_GEMS", "FC_SLICE_AX_GEMS"),
        ),
        pet=PetScanner(
            Equipment(_GE, "Discovery MI", "PT01", "61.00", "700103"),
            matrix=128,
            voxel_mm=3.65,
            spacing_mm=3.27,
            slices=37,
            bed_s=120.0,
            beds=2,
            blur_mm=2.4,
            noise=0.10,
            reconstruction="VPFXS",
            corrections=("DECY", "ATTN", "SCAT", "DTIM", "RANSNG", "DCAL", "SLSENS", "NORM"),
            slope="slice",
            frame_reference="start",
        ),
    ),
    Site(
        name="south",
        ct=CtScanner(
            Equipment(_SIEMENS, "SOMATOM Force", "CTAWP01", "syngo CT VB20A", "700201"),
            matrix=288,
            fov_mm=400.0,
            thickness_mm=3.0,
            spacing_mm=3.0,
            slices=40,
            kernel="Br40d\\3",
            kvp=100.0,
            noise_hu=9.0,
            grain_mm=1.3,
            blur_mm=1.2,
            stored="unsigned",
        ),
        mr=MrScanner(
            Equipment(_SIEMENS, "MAGNETOM Vida", "MRC01", "syngo MR XA31", "700202"),
            matrix=288,
            fov_mm=380.0,
            thickness_mm=5.0,
            spacing_mm=5.5,
            slices=23,
            te_ms=97.0,
            tr_ms=3800.0,
            flip_deg=160.0,
            echo_train=25,
            field_t=3.0,
            scale=700.0,
            noise=0.03,
            blur_mm=0.7,
            tilt_deg=4.0,
            sequence_name="*tse2d1_25",
            variant=("SK", "SP", "OSP"),
        ),
        pet=PetScanner(
            Equipment(_SIEMENS, "Biograph128_Vision 600", "PTAWP01", "VG80A", "700203"),
            matrix=140,
            voxel_mm=3.3,
            spacing_mm=3.0,
            slices=40,
            bed_s=120.0,
            beds=2,
            blur_mm=2.0,
            noise=0.07,
            reconstruction="PSF+TOF 4i5s",
            corrections=("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"),
            slope="series",
            frame_reference="average",
        ),
    ),
)
