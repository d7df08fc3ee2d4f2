#!/usr/bin/python3
"""Writes tests/data/ops/{resize,grid}_*.npy: inputs and PyTorch's outputs for Resize and GridSample.

Run from the repository root with Debian's python3-torch (1.13). Computed in f64 and rounded once. PyTorch's antialiased filters leave
out what lies outside and weigh the rest anew: Resize's exclude_outside. Its antialiased bicubic has a = -0.5.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = "tests/data/ops"
torch.manual_seed(20240417)


def write(name, tensor):
    np.save(os.path.join(FOLDER, name + ".npy"), np.ascontiguousarray(tensor.detach().numpy().astype(np.float32)))


def resize():
    x = torch.randn(2, 3, 7, 9).float().double()
    write("resize_x", x)
    for name, size in (("up", (10, 13)), ("down", (4, 5))):
        for mode in ("bilinear", "bicubic"):
            write(f"resize_{mode}_{name}", F.interpolate(x, size=size, mode=mode, align_corners=False))
            write(f"resize_{mode}_{name}_corners", F.interpolate(x, size=size, mode=mode, align_corners=True))
            write(f"resize_{mode}_{name}_antialias", F.interpolate(x, size=size, mode=mode, align_corners=False, antialias=True))
        write(f"resize_nearest_{name}", F.interpolate(x, size=size, mode="nearest"))
        write(f"resize_nearest_exact_{name}", F.interpolate(x, size=size, mode="nearest-exact"))
    volume = torch.randn(1, 2, 4, 5, 6).float().double()
    write("resize_volume_x", volume)
    write("resize_volume", F.interpolate(volume, size=(6, 3, 9), mode="trilinear", align_corners=False))


def grid():
    x = torch.randn(2, 2, 5, 6).float().double()
    points = (torch.rand(2, 4, 3, 2) * 3.2 - 1.6).float().double()
    write("grid_x", x)
    write("grid_points", points)
    volume = torch.randn(1, 2, 3, 4, 5).float().double()
    volume_points = (torch.rand(1, 2, 3, 4, 3) * 3.2 - 1.6).float().double()
    write("grid_volume_x", volume)
    write("grid_volume_points", volume_points)
    for corners in (0, 1):
        for padding in ("zeros", "border", "reflection"):
            for mode in ("bilinear", "nearest"):
                write(f"grid_{mode}_{padding}_{corners}", F.grid_sample(x, points, mode, padding, bool(corners)))
                write(f"grid_volume_{mode}_{padding}_{corners}", F.grid_sample(volume, volume_points, mode, padding, bool(corners)))
        write(f"grid_bicubic_zeros_{corners}", F.grid_sample(x, points, "bicubic", "zeros", bool(corners)))


resize()
grid()
