"""Measures of an image's pixels; each is a formula over the luminance or the colours."""

import numpy as np

_COEFFICIENTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Luma of pixels [height, width, 3] of 0 to 255, by ITU-R BT.601: [height, width], 0 to 255."""
    return np.asarray(rgb @ _COEFFICIENTS, dtype=np.float32)


def saturation(rgb: np.ndarray) -> float:
    """The mean of (max − min) / max over the pixels: S of HSV (Smith 1978), 0 grey to 1."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    highest = np.maximum(np.maximum(red, green), blue)
    spread = highest - np.minimum(np.minimum(red, green), blue)
    return float(np.divide(spread, highest, out=np.zeros_like(spread), where=highest > 0).mean())


def laplacian_variance(luma: np.ndarray) -> float:
    """The variance of the Laplacian (4-neighbours): low for a blurred image.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. It depends on the scale,
    so images are brought to one size first; 0 for an image of less than 3 pixels a side.
    """
    if min(luma.shape) < 3:
        return 0.0
    centre = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * centre).var(dtype=np.float64))


def contrast(luma: np.ndarray) -> float:
    """The 98th minus the 2nd percentile of the luminance, as a share of the full range."""
    low, high = np.percentile(luma, [2, 98])
    return float(high - low) / 255


def entropy(luma: np.ndarray) -> float:
    """Shannon entropy of the luminance's histogram of 256 bins, in bits: 0 for one tone, 8 at most."""
    counts = np.bincount(luma.astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / luma.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0
