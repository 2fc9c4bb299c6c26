"""The body of the jellyfish at rest: its bell with marks, its organs, frilled arms and tentacles, as samples that carry light.

Lengths are in radii of the bell; x goes right, y towards the eye, z down from the bell's top.
Axes: U samples from the bell's top to its rim, A around it, R samples along a strand and S across.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.data.scenes.sound_force import Array

TALL = 0.82  # of the bell
CURLED = 1.86  # the meridian's angle at the rim, rad: beyond a quarter turn the rim turns in
MARKS = 16  # rays on the bell
ARMS, TENTACLES = 5, 26


@dataclass(frozen=True)
class Bell:
    """Samples of the bell: rows from top to rim, columns around."""

    down_U: Array
    """0 at the top, 1 at the rim."""
    radius_U: Array
    z_U: Array
    angle_A: Array
    body_UA: Array
    """Light of the clear body, in areas of radius²."""
    mark_UA: Array
    """Light of its rays and rim, in the same."""


@dataclass(frozen=True)
class Strand:
    """Samples of an arm, a tentacle or the organs, rows along it, all of which hang from one place of the bell."""

    angle: float
    held: float
    """How far out on the bell it hangs: 0 at the middle, 1 at the rim."""
    along_R1: Array
    """0 where it hangs, 1 at its end."""
    x_RS: Array
    y_RS: Array
    z_RS: Array
    light_RS: Array
    """In radii²."""


def _grain(random: np.random.Generator, rows: int, columns: int, cells: tuple[int, int]) -> Array:
    """Return smooth noise of about -1 to 1 that closes around the bell."""
    knots = random.uniform(-1.0, 1.0, cells).astype(np.float32)
    knots = np.concatenate([knots, knots, knots], axis=1)
    return cv2.resize(knots, (3 * columns, rows), interpolation=cv2.INTER_CUBIC)[:, columns : 2 * columns]


def bell(radius_px: float) -> Bell:
    """Return the bell, sampled finely enough for a frame in which its radius is `radius_px`."""
    rows, columns = int(radius_px * 3.0), int(radius_px * 10.5)
    down_U = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    angle_A = 2.0 * np.pi * (np.arange(columns, dtype=np.float32) + 0.5) / columns
    meridian_U = CURLED * down_U
    radius_U = np.sin(meridian_U) * (1.0 + 0.05 * np.sin(2.0 * meridian_U))
    z_U = TALL * (1.0 - np.cos(meridian_U))
    length_U = np.hypot(np.gradient(radius_U, down_U), np.gradient(z_U, down_U))
    area_U1 = (np.abs(radius_U) * length_U * (2.0 * np.pi / columns) / rows)[:, None]
    d, random = down_U[:, None], np.random.default_rng(5)
    ray_A = np.abs((angle_A * MARKS / (2.0 * np.pi)) % 1.0 - 0.5)[None] * 2.0  # 1 on a ray, 0 between
    between_A = 1.0 - ray_A
    # A ray forks on its way down, as on a compass jellyfish.
    fork = np.exp(-(((between_A - 0.42 * np.clip((d - 0.42) / 0.5, 0.0, 1.0)) / (0.06 + 0.09 * d)) ** 2))
    rays = fork * np.clip((d - 0.16) / 0.12, 0.0, 1.0) * np.clip((0.985 - d) / 0.05, 0.0, 1.0)
    crown = np.exp(-(((d - 0.13 - 0.012 * np.cos(MARKS * angle_A)[None]) / 0.018) ** 2))
    freckles = np.clip(_grain(random, rows, columns, (46, 190)) - 0.42, 0.0, 1.0) * np.clip(1.1 - d, 0.0, 1.0)
    canals = np.exp(-((np.abs((angle_A * 4 * MARKS / (2.0 * np.pi)) % 1.0 - 0.5)[None] / 0.09) ** 2))
    # The rim is cut into lappets.
    lappet = 0.955 + 0.043 * np.abs(np.cos(MARKS * angle_A))[None]
    there = 1.0 / (1.0 + np.exp((d - lappet) / 0.0035))
    edge = np.exp(-(((d - lappet + 0.008) / 0.006) ** 2))
    skin = 1.0 + 0.10 * _grain(random, rows, columns, (18, 60)) + 0.06 * _grain(random, rows, columns, (90, 420))
    thick = 0.32 + 0.50 * np.exp(-((d / 0.42) ** 2)) + 0.18 * d**3
    body = (
        skin * thick * (1.0 - 0.70 * np.clip(rays, 0.0, 1.0))
        + 0.13 * canals * np.clip((d - 0.3) / 0.3, 0.0, 1.0)
        + 0.5 * edge
    )
    mark = 0.85 * rays + 0.5 * crown + 0.8 * freckles + 0.45 * edge
    return Bell(
        down_U, radius_U.astype(np.float32), z_U.astype(np.float32), angle_A.astype(np.float32),
        (area_U1 * there * body).astype(np.float32), (area_U1 * there * mark).astype(np.float32),
    )  # fmt: skip


def _strand(angle: float, held: float, along_R1: Array, *samples_RS: Array) -> Strand:
    return Strand(angle, held, along_R1.astype(np.float32), *(values.astype(np.float32) for values in samples_RS))


def organs(radius_px: float) -> Strand:
    """Return the four horseshoes inside the bell."""
    random, count = np.random.default_rng(6), int(radius_px**2 * 0.8)
    angle = random.uniform(0.0, 2.0 * np.pi, (1, count))
    # Four lobes that do not quite close.
    ring = 0.33 + 0.11 * np.cos(4.0 * angle)
    width = 0.035 + 0.012 * np.cos(4.0 * angle)
    away = random.normal(0.0, 1.0, (3, 1, count)) * width
    x, y = ring * np.cos(angle) + away[0], ring * np.sin(angle) + away[1]
    z = 0.40 + 0.05 * np.cos(8.0 * angle) + 0.8 * away[2]
    return _strand(0.0, 0.0, np.zeros((1, 1)), x, y, z, np.full((1, count), 0.30 / count))


def arms(radius_px: float) -> list[Strand]:
    """Return frilled arms, ribbons that hang from the middle."""
    random, parts = np.random.default_rng(7), list[Strand]()
    rows, columns = int(radius_px * 5.8), int(radius_px * 0.72)
    along, across = (np.arange(rows)[:, None] + 0.5) / rows, (np.arange(columns)[None] + 0.5) / columns * 2.0 - 1.0
    for index in range(ARMS):
        angle = 2.0 * np.pi * (index + 0.35) / ARMS
        length = random.uniform(2.3, 3.3)
        wide = random.uniform(0.15, 0.22) * np.clip(along * 9.0, 0.0, 1.0) ** 0.6 * (1.0 - along) ** 0.55
        turn = angle + 2.4 * along + random.uniform(0.0, 3.0)
        frill = np.abs(across) ** 1.6 * wide * 0.62
        waves = 2.0 * np.pi * length * (3.6 * along + 0.16 * np.sin(9.0 * along + index))
        ruffle = np.sin(waves + 1.6 * across + index) + 0.30 * np.sin(1.7 * waves - 2.1 * across + 2.0 * index)
        drift = 0.20 * along * np.sin(2.0 * np.pi * 0.55 * along * length / 2.5 + 2.1 * index)
        x = 0.10 * np.cos(angle) + drift + wide * across * np.cos(turn) + frill * ruffle * np.sin(turn)
        y = 0.10 * np.sin(angle) + wide * across * np.sin(turn) + frill * ruffle * np.cos(turn)
        z = 0.46 + along * length + 0.55 * frill * np.cos(waves + index)
        area = (length / rows) * (2.0 * np.maximum(wide, 0.01) / columns)
        skin = 0.55 + 0.45 * np.cos(np.pi * across) ** 2 + 1.1 * np.exp(-(((np.abs(across) - 0.97) / 0.05) ** 2))
        light = area * skin * (1.0 - along) ** 0.5 * np.clip(along * 14.0, 0.15, 1.0)
        parts.append(_strand(angle, 0.1, along, x, y, z, light))
    return parts


def tentacles(radius_px: float) -> list[Strand]:
    """Return the threads that hang from the rim."""
    random, parts = np.random.default_rng(8), list[Strand]()
    rows = int(radius_px * 14.0)
    along, across = (np.arange(rows)[:, None] + 0.5) / rows, np.array([[-0.5, 0.0, 0.5]])
    rim, rim_z = np.sin(CURLED), TALL * (1.0 - np.cos(CURLED))
    for index in range(TENTACLES):
        angle = 2.0 * np.pi * (index + random.uniform(0.2, 0.8)) / TENTACLES
        length, bends, curls = random.uniform(2.6, 4.3), random.uniform(0.7, 1.6), random.uniform(5.0, 9.0)
        wander = random.uniform(0.05, 0.16) * along * np.sin(2.0 * np.pi * bends * along + random.uniform(0.0, 6.3))
        curl = random.uniform(0.008, 0.022) * along * np.sin(2.0 * np.pi * curls * along)
        inward = 1.0 - random.uniform(0.10, 0.45) * along**0.8
        x = rim * np.cos(angle) * inward + wander + curl + 2.2 / radius_px * (1.0 - 0.75 * along) * across
        y = rim * np.sin(angle) * inward + 0.5 * wander + 0.0 * across
        z = rim_z + along * length + 0.0 * across
        beads = 0.75 + 0.4 * np.cos(2.0 * np.pi * (11.0 * along * length + 0.8 * np.sin(7.0 * along + index)))
        light = beads * (1.0 - along) ** 0.8 * (length / rows) * (1.5 / radius_px) + 0.0 * across
        parts.append(_strand(angle, 1.0, along, x, y, z, light))
    return parts
