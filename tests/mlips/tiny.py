"""Runs in a model's own environment, ``python -P tiny.py KIND FILE``: writes a small model of H and O with weights that
nobody has trained, by the model's own package."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any


def mattersim(file: Path) -> None:
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    model = M3Gnet(num_blocks=2, units=16, cutoff=4.5, threebody_cutoff=3.5, device="cpu")
    content = {"model_name": "m3gnet", "model_args": model.get_model_args(), "model": model.state_dict()}
    torch.save(content, file)


def orb(file: Path) -> None:
    import torch
    from orb_models.forcefield.atomic_system import SystemConfig
    from orb_models.forcefield.pretrained import orb_v3_conservative_architecture

    config = SystemConfig(radius=6.0, max_num_neighbors=120)
    torch.save(orb_v3_conservative_architecture(device="cpu", system_config=config).state_dict(), file)


def metatomic(file: Path, long_ranged: bool = False) -> None:
    from metatrain.pet import PET
    from metatrain.utils.architectures import get_default_hypers
    from metatrain.utils.data import DatasetInfo
    from metatrain.utils.data.target_info import get_energy_target_info

    hypers = get_default_hypers("pet")["model"]
    hypers.update(d_pet=8, d_head=8, d_node=8, d_feedforward=8, num_heads=1, num_attention_layers=1, num_gnn_layers=2)
    if long_ranged:
        hypers["long_range"].update(enable=True, use_ewald=True)
    energy = get_energy_target_info("energy", {"quantity": "energy", "unit": "eV"})
    info = DatasetInfo(length_unit="Angstrom", atomic_types=[1, 8], targets={"energy": energy})
    PET(hypers, info).export().save(str(file))


def metatomic_long(file: Path) -> None:
    metatomic(file, long_ranged=True)


def aimnet(file: Path) -> None:
    import torch
    import yaml
    from aimnet.config import build_module

    settings = {
        "class": "aimnet.models.AIMNet2",
        "kwargs": {
            "nfeature": 8,
            "d2features": True,
            "ncomb_v": 4,
            "hidden": [[16, 16], [16, 16], [16, 16]],
            "aim_size": 16,
            "num_charge_channels": 1,
            "aev": {"rc_s": 5.0, "nshifts_s": 8},
            "outputs": {
                "energy_mlp": {
                    "class": "aimnet.modules.Output",
                    "kwargs": {
                        "n_in": 16,
                        "n_out": 1,
                        "key_in": "aim",
                        "key_out": "energy",
                        "mlp": {"activation_fn": "torch.nn.GELU", "last_linear": True, "hidden": [16]},
                    },
                },
                "atomic_sum": {
                    "class": "aimnet.modules.AtomicSum",
                    "kwargs": {"key_in": "energy", "key_out": "energy"},
                },
                "srcoulomb": {
                    "class": "aimnet.modules.SRCoulomb",
                    "kwargs": {"rc": 4.6, "key_in": "charges", "key_out": "energy"},
                },
            },
        },
    }
    torch.manual_seed(1)
    model = build_module(settings)
    content = {
        "format_version": 2,
        "model_yaml": yaml.safe_dump(settings, sort_keys=False),
        "cutoff": 5.0,
        "needs_coulomb": True,
        "needs_dispersion": False,
        "coulomb_mode": "sr_embedded",
        "coulomb_sr_rc": 4.6,
        "coulomb_sr_envelope": "exp",
        "d3_params": None,
        "has_embedded_lr": True,
        "has_embedded_d3ts": False,
        "implemented_species": [1, 8],
        "state_dict": model.state_dict(),
    }
    torch.save(content, file)


def nequip(file: Path) -> None:
    """A package as nequip-package writes it, of a model that no training has made a checkpoint of."""
    import torch
    import yaml
    from nequip.scripts import _package_utils as modules

    content = {"package_version_id": 2, "available_models": ["eager"], "atom_types": {0: "O", 1: "H"}}
    with torch.package.PackageExporter(str(file)) as package:
        package.mock([f"{name}.**" for name in modules._MOCK_MODULES])
        package.extern([f"{name}.**" for name in modules._EXTERNAL_MODULES])
        package.intern([f"{name}.**" for name in modules._INTERNAL_MODULES])
        package.save_text("model", "package_metadata.txt", yaml.safe_dump(content))
        package.save_pickle("model", "eager_model.pkl", torch.nn.ModuleDict({"sole_model": _nequip()}))


def nequip_compiled(file: Path) -> None:
    from nequip.model.inference_models.torchscript import save_torchscript_model

    # The command nequip-compile refuses TorchScript from torch 2.10 on; its models are around, and torch loads them.
    model = _nequip().eval()
    save_torchscript_model(model, {**model.metadata, "allow_tf32": "0"}, str(file), "cpu")


def _nequip() -> Any:
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state()
    return NequIPGNNModel(
        seed=1,
        model_dtype="float32",
        r_max=4.5,
        type_names=["O", "H"],
        num_layers=2,
        l_max=1,
        num_features=8,
        radial_mlp_width=16,
        avg_num_neighbors=20.0,
        per_type_energy_scales=100.0,
        per_type_energy_shifts=0.0,
    )


def grace(file: Path) -> None:
    import tarfile

    from tensorpotential.potentials.presets import GRACE_2LAYER_v1_24
    from tensorpotential.tpmodel import TPModel

    small = {"n_rad_base": 4, "embedding_size": 4, "max_order": 2, "lmax": (1, 1), "n_rad_max": (4, 4), "n_mlp_dens": 2}

    import tensorflow as tf  # after tensorpotential, which sets it up

    tf.random.set_seed(1)
    made = GRACE_2LAYER_v1_24(
        element_map={"H": 0, "O": 1}, rcut=4.5, avg_n_neigh=20.0, constant_out_scale=20.0, **small
    )
    model = TPModel(made.get_instructions())
    model.build(tf.float64)
    folder = file.with_name("GRACE-tiny")
    model.save_model(str(folder))
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, folder.name)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # GRACE's environment has none
        import torch

        torch.manual_seed(1)
    globals()[sys.argv[1]](Path(sys.argv[2]))
