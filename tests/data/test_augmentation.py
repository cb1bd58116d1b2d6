"""Augmentation through data layers: what hangs on what, masks beside images, and what is told of wrong settings."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest

from brew.checks.files import check as check_file
from brew.checks.states import Options
from brew.cpu import threads
from brew.cpu.pixels import colours, resampling, warping, windows
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.transformer import Transformer
from brew.errors import BrewError, DataError, NetError
from brew.layer import TEST, TRAIN, Context
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, NetParameter, TransformationParameter
from brew.prototxt import parse

random = np.random.default_rng(0)
SIZES = [(20, 31), (33, 24), (40, 40), (25, 28), (29, 36), (50, 21)]
IMAGES = [random.integers(0, 256, (3, *SIZES[i % 6]), np.uint8) for i in range(12)]
MASKS = [random.integers(0, 9, (1, *SIZES[i % 6]), np.uint8) for i in range(12)]
SSD = """mirror: true mean_value: 104 mean_value: 117 mean_value: 123
  resize_param { prob: 1 resize_mode: WARP height: 24 width: 18 interp_mode: LINEAR interp_mode: AREA interp_mode: CUBIC }
  distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5 contrast_upper: 1.5
    hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5 saturation_upper: 1.5 random_order_prob: 0.3 }
  expand_param { prob: 0.5 max_expand_ratio: 4 }"""
EVERYTHING = """scale: 0.017 mean_value: 110 random_resized_crop_param { height: 20 width: 20 interp_mode: LANCZOS4 }
  color_jitter_param { brightness: 0.4 contrast: 0.4 saturation: 0.4 hue: 0.1 gray_prob: 0.2 }
  affine_param { rotate: 15 scale_lower: 0.9 scale_upper: 1.1 pad_mode: MIRRORED } rand_augment_param { magnitude: 5 }
  blur_param { prob: 0.5 } gaussian_noise_param { } jpeg_param { prob: 0.5 } erase_param { } vertical_mirror: true
  random_90_deg_rot: true crop_size: 16 mirror: true noise_param { prob: 0.3 hist_eq: true saltpepper: true
    saltpepper_param { fraction: 0.1 } }"""
NVIDIA = "img_rand_resize_lower: 22 img_rand_resize_upper: 60 crop_size: 20 mirror: true"
INTEL = "random_aspect_ratio_param { } crop_size: 17 mirror: true"
CHAINS = pytest.mark.parametrize("text", [SSD, EVERYTHING, NVIDIA, INTEL], ids=["ssd", "everything", "nvidia", "intel"])


def transformer(text: str, phase: int = TRAIN, seed: int = 1) -> Transformer:
    param = parse(text, TransformationParameter).message
    return Transformer(param, Context(phase=phase, seed=seed), "data", "Data")


def apply(t: Transformer, images=IMAGES, first: int = 0) -> np.ndarray:
    out = np.full((len(images), *t.output_shape(images[0].shape)), np.nan, np.float32)
    t(images, first, out)
    return out


@CHAINS
def test_a_record_becomes_what_its_number_says(text):
    t = transformer(text)
    whole = apply(t, first=100)
    assert np.isfinite(whole).all()
    assert np.array_equal(apply(transformer(text), IMAGES[7:], 107), whole[7:])
    ones = [apply(t, [image], 100 + i)[0] for i, image in enumerate(IMAGES)]
    assert np.array_equal(np.stack(ones), whole)
    assert not np.array_equal(apply(transformer(text, seed=2), first=100), whole)
    assert not np.array_equal(apply(t, [IMAGES[0]] * 2)[0], apply(t, [IMAGES[0]] * 2)[1])


@CHAINS
def test_channels_side_by_side_and_numpy_alone_give_the_same(text, monkeypatch):
    expected = apply(transformer(text))
    views = [np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in IMAGES]
    for view in views:
        view.flags.writeable = False
    assert np.array_equal(apply(transformer(text), views), expected)
    for module in (colours, resampling, warping):
        monkeypatch.setattr(module, "native", lambda: False)
    monkeypatch.setattr(windows, "why_not", lambda: "not here")
    assert np.array_equal(apply(transformer(text)), expected)


@CHAINS
def test_in_test_nothing_is_random_but_the_mirror(text):
    t = transformer(re.sub(r"\bmirror: true", "", text), TEST)
    assert not t.random
    assert np.array_equal(apply(t, [IMAGES[1]] * 3, 5)[2], apply(t, [IMAGES[1]])[0])
    mirrored = apply(transformer(text, TEST), [IMAGES[1]] * 40)
    assert len({image.tobytes() for image in mirrored}) == 2


def test_what_is_random_leaves_crop_and_mirror_where_they_were():
    """One augmentation more does not change what another draws."""
    plain = apply(transformer("crop_size: 12 mirror: true"), [IMAGES[2]] * 12)
    erased = apply(transformer("crop_size: 12 mirror: true erase_param { prob: 1 size: 5 }"), [IMAGES[2]] * 12)
    assert 0.7 < (plain == erased).mean() < 0.97


def test_settings_that_ask_for_nothing_change_nothing():
    plain = transformer("crop_size: 16 mirror: true")
    for text in (
        "distort_param { }", "expand_param { prob: 0 max_expand_ratio: 3 }", "affine_param { }", "blur_param { prob: 0 }",
        "color_jitter_param { }", "rand_augment_param { operations: 0 }", "erase_param { prob: 0 }", "noise_param { }",
        "expand_param { }", "affine_param { rotate: 0 pad_mode: MIRRORED }", "gaussian_noise_param { prob: 0 }",
    ):  # fmt: skip
        assert np.array_equal(apply(transformer(f"crop_size: 16 mirror: true {text}")), apply(plain)), text


def test_resizing_comes_before_mean_crop_and_mirror(tmp_path):
    t = transformer("resize_param { height: 20 width: 20 } crop_h: 8 crop_w: 12 mean_value: 7 scale: 2", TEST)
    resized = apply(transformer("resize_param { height: 20 width: 20 }", TEST))
    assert np.array_equal(apply(t), (resized[:, :, 6:14, 4:16] - 7) * 2)


def test_a_mean_file_is_of_the_size_after_the_resize(tmp_path):
    from brew.proto.brew_pb2 import BlobProto

    values = random.uniform(50, 150, (3, 20, 22)).astype(np.float32)
    blob = BlobProto(num=1, channels=3, height=20, width=22, data=values.reshape(-1))
    (tmp_path / "mean").write_bytes(blob.SerializeToString())
    text = 'resize_param { height: 20 width: 22 } mean_file: "mean" crop_size: 9 mirror: true distort_param { }'
    param = parse(text, TransformationParameter).message
    t = Transformer(param, Context(phase=TRAIN, seed=1, folder=tmp_path), "data", "Data")
    plain = transformer(text.replace('mean_file: "mean"', ""))
    whole = apply(transformer("resize_param { height: 20 width: 22 }")).astype(np.float32)
    ready = apply(transformer("crop_size: 9 mirror: true"), list(whole - values))
    assert np.allclose(apply(t), ready) and np.allclose(
        apply(plain), apply(transformer("crop_size: 9 mirror: true"), list(whole))
    )
    moved = parse(text + " vertical_mirror: true", TransformationParameter).message
    with pytest.raises(NetError, match="vertical_mirror moves pixels, and the values of mean_file stay"):
        Transformer(moved, Context(phase=TRAIN, seed=1, folder=tmp_path), "data", "Data")


def test_other_than_three_channels():
    grey = [image[:1] for image in IMAGES]
    four = [np.concatenate([image, image[:1]]) for image in IMAGES]
    text = EVERYTHING.replace("mean_value: 110", "")
    assert np.isfinite(apply(transformer(text), grey)).all() and np.isfinite(apply(transformer(text), four)).all()
    jitter = "color_jitter_param { saturation: 0.9 hue: 0.5 } crop_size: 16"
    assert np.array_equal(apply(transformer(jitter), grey), apply(transformer("crop_size: 16"), grey))
    assert np.array_equal(apply(transformer(jitter), four)[:, 3], apply(transformer("crop_size: 16"), four)[:, 3])


# --- in nets ----------------------------------------------------------------------------------------------------------


def write(name: str, images, labels=None) -> None:
    datums = [
        Datum(channels=len(x), height=x.shape[1], width=x.shape[2], data=x.tobytes(), label=i % 3 if labels is None else labels[i])
        for i, x in enumerate(images)
    ]  # fmt: skip
    write_lmdb(Path(name), ((b"%08d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("images", IMAGES)
    write("masks", MASKS)
    return tmp_path


def layer(transform: str, name: str = "data", source: str = "images", batch: int = 4, more: str = "") -> str:
    tops = f'top: "{name}"' + (' top: "label"' if name == "data" else "")
    return (
        f'layer {{ name: "{name}" type: "Data" {tops} data_param {{ source: "{source}" backend: LMDB batch_size: {batch} }}\n'
        f"  transform_param {{\n{transform} }} {more} }}\n"
    )


def made(text: str, phase: int = TRAIN, seed: int = 5) -> Net:
    return Net(parse(text, NetParameter, "net.prototxt"), phase, device="cpu", seed=seed)


def batches(net: Net, count: int, *names: str) -> list[np.ndarray]:
    found = []
    for _ in range(count):
        net.forward()
        found.append([net.blobs[name].data.copy() for name in names])
    for data in net.data_layers:
        data.close()
    return [np.concatenate(each) for each in zip(*found, strict=True)]


@CHAINS
def test_any_batch_size_and_any_number_of_threads(text, here):
    [expected] = batches(made(layer(text, batch=6)), 4, "data")
    for batch, decoders in ((1, 1), (4, 1), (12, 4)):
        threads.use(decoders)
        try:
            [found] = batches(made(layer(text, batch=batch)), 24 // batch, "data")
        finally:
            threads.use(None)
        assert np.array_equal(found, expected)


@CHAINS
def test_a_resume_goes_on_as_if_nothing_had_been(text, here):
    net = made(layer(text))
    [expected] = batches(net, 6, "data")
    first = made(layer(text))
    batches(first, 3, "data")
    [state] = [data.state() for data in first.data_layers]
    second = made(layer(text), seed=99)
    [data] = second.data_layers
    data.restore(state)
    [found] = batches(second, 3, "data")
    assert np.array_equal(found, expected[12:])


GEOMETRY = """resize_param { height: 21 width: 22 resize_mode: FIT_LARGE_SIZE_AND_PAD } expand_param { max_expand_ratio: 2 }
  affine_param { rotate: 20 } vertical_mirror: true crop_size: 15 mirror: true"""


def test_a_mask_goes_where_its_image_goes_and_keeps_its_classes(here):
    """The image is its own mask, so that they can be compared: what lies outside is 255 in both."""
    write("same", [np.repeat(mask * 25, 3, 0) for mask in MASKS])
    image = GEOMETRY.replace("height: 21", "pad_value: 255 interp_mode: NEAREST height: 21")
    colour = "distort_param { brightness_prob: 0 } mean_value: 0 affine_param { pad_value: 255 }"
    mask = layer(f"{GEOMETRY} is_mask: true", "mask", "masks", more='draws_with: "data"')
    net = made(layer(f"{image} {colour}".replace("affine_param { rotate: 20 }", ""), source="same") + mask)
    pixels, classes = batches(net, 3, "data", "mask")
    assert set(np.unique(classes).tolist()) <= {*range(9), 255}
    [again] = batches(made(layer(f"{GEOMETRY} is_mask: true", "mask", "masks").replace('"mask"', '"data"')), 3, "data")
    assert np.array_equal(again, classes)  # it is drawn under the same name
    assert pixels.shape == (12, 3, 15, 15) and classes.shape == (12, 1, 15, 15)


def test_a_mask_and_its_image_match_pixel_for_pixel(here):
    """Blocks of colour that a mask numbers: after all of it, a block's colour still says its class."""
    blocks = [np.kron(random.integers(0, 9, (1, 4, 4), np.uint8), np.ones((1, 16, 16), np.uint8)) for _ in range(12)]
    write("images2", [np.repeat(block * 25, 3, 0) for block in blocks])
    write("masks2", blocks)
    text = "affine_param { rotate: 20 } random_resized_crop_param { height: 48 width: 48 } mirror: true vertical_mirror: true"
    net = made(
        layer(text, source="images2") + layer(f"{text} is_mask: true", "mask", "masks2", more='draws_with: "data"')
    )
    pixels, classes = batches(net, 3, "data", "mask")
    known = classes[:, 0] != 255
    agree = np.abs(pixels[:, 0] / 25 - classes[:, 0]) < 0.3
    assert known.mean() > 0.8 and agree[known].mean() > 0.85  # but for the edges between blocks


def test_pairs_that_move_apart_are_told(here, caplog):
    with caplog.at_level(logging.WARNING, "brew"):
        made(layer("resize_param { height: 16 width: 16 } expand_param { max_expand_ratio: 2 }")
             + layer("resize_param { height: 16 width: 16 } is_mask: true", "mask", "masks"))  # fmt: skip
    assert '"data" and "mask" differ in expand_param: pairs no longer match' in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "brew"):
        both = "resize_param { height: 16 width: 16 } expand_param { max_expand_ratio: 2 }"
        made(layer(both + " distort_param { }") + layer(both + " is_mask: true", "mask", "masks"))
    assert "pairs no longer match" not in caplog.text


MIX = "resize_param { height: 9 width: 9 } mix_param { mixup_alpha: 1 cutmix_alpha: 1 classes: 3 label_smoothing: 0.1 }"


def test_mixing_makes_labels_shares(here):
    data, shares = batches(made(layer(MIX, batch=4)), 6, "data", "label")
    assert shares.shape == (24, 3) and np.allclose(shares.sum(1), 1, atol=1e-6)
    assert ((shares > 0.1) & (shares < 0.9)).any()
    for batch in (2, 12):
        found = batches(made(layer(MIX, batch=batch)), 24 // batch, "data", "label")
        assert np.array_equal(found[0], data) and np.array_equal(found[1], shares)
    [hard] = batches(made(layer(MIX, batch=3), TEST), 2, "label")
    assert hard.tolist() == np.eye(3)[[0, 1, 2] * 2].tolist()


def test_the_net_of_the_manual_learns_from_shares(here):
    """Softmax, Log, product, sum: the gradient of its scores is softmax minus shares, over the batch."""
    docs = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    losses = re.search(r"```\n(layer \{ name: \"prob\".*?)```", docs, re.DOTALL)[1]
    scores = 'layer { name: "scores" type: "InnerProduct" bottom: "data" top: "scores" inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.001 } } }\n'
    net = made(layer(MIX, batch=4) + scores + losses.replace("-0.015625", "-0.25"))
    net.forward()
    net.backward()
    x, y = net.blobs["scores"].data.astype(float), net.blobs["label"].data.astype(float)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    assert np.allclose(net.blobs["loss"].data, -(y * np.log(p)).sum() / 4, rtol=1e-4)
    assert np.allclose(net.blobs["scores"].diff, (p - y) / 4, atol=1e-5)
    for data in net.data_layers:
        data.close()


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("distort_param {\n brightness_prob: 1.5 }", 3, r"brightness_prob is 1.5, from 0 to 1 is expected"),
        (
            "distort_param { contrast_lower: 2\n contrast_upper: 1 }",
            3,
            r"contrast_upper is 1, at least contrast_lower, 2, is",
        ),
        ("\nresize_param { width: 3 }", 3, r"height is 0, from 1 to 65500 is expected"),
        (
            "resize_param { height: 3 width: 3 }\nrandom_resized_crop_param { height: 3 width: 3 }",
            3,
            "both say to what size",
        ),
        ("crop_h: 4", 2, r"crop_w is 0; crop_h and crop_w are needed both, or none"),
        ("crop_size: 4\ncrop_h: 4 crop_w: 4", 3, "crop_size and crop_h with crop_w cannot both be set"),
        (
            "\n\nexpand_param { max_expand_ratio: 2 }",
            4,
            "expand_param makes images of many sizes; crop_size or resize_param",
        ),
        (
            "img_rand_resize_lower: 9\nimg_rand_resize_upper: 5",
            3,
            "img_rand_resize_upper is 5, at least img_rand_resize_lower, 9",
        ),
        ("img_rand_resize_lower: 9 img_rand_resize_upper: 9", 2, "img_rand_resize_lower makes images of many sizes"),
        ("random_aspect_ratio_param { }", 2, "random_aspect_ratio_param needs a crop_size"),
        ("resize_param { height: 8 width: 8 } crop_size: 9", 2, r"a crop of 9 x 9 does not fit into images of 8 x 8"),
        (
            "resize_param { height: 8 width: 9 } random_90_deg_rot: true",
            2,
            "random_90_deg_rot is for squares, images are 8 x 9",
        ),
        (
            "resize_param { height: 8 width: 9\npad_value: 1 pad_value: 2 }",
            3,
            "2 values of pad_value for images of 3 channels",
        ),
        ("rand_augment_param { magnitude: 11 } crop_size: 9", 2, "magnitude is 11, from 0 to 10 is expected"),
        ("blur_param { sigma_lower: 3 } crop_size: 9", 2, "sigma_upper is 2, at least sigma_lower, 3, is expected"),
        ("blur_param { sigma_upper: 1e9 } crop_size: 9", 2, "sigma_upper is 1e.09, from 0.01 to 100 is expected"),
        ("random_resize_param { min_size: 9 max_size: 90000 } crop_size: 9", 2, "max_size is 90000, from 1 to 65500"),
        (
            "noise_param { saltpepper_param { fraction: -1 } } crop_size: 9",
            2,
            "fraction is -1, from 0 to 1 is expected",
        ),
        ("color_jitter_param { hue: 0.7 } crop_size: 9", 2, "hue is 0.7, from 0 to 0.5 is expected"),
        ("mix_param { mixup_alpha: 1 } crop_size: 9", 2, "classes is 0, from 1 to"),
        ("mix_param { classes: 3 } crop_size: 9", 2, "mix_param mixes nothing"),
        ("is_mask: true mix_param { classes: 3 mixup_alpha: 1 } crop_size: 9", 2, "mix_param cannot mix masks"),
    ],
)
def test_impossible_settings_are_placed(text, line, what, here):
    with pytest.raises(NetError, match=what) as caught:
        made(layer(text))
    assert str(caught.value.place).startswith(f"net.prototxt:{line + 1}:"), caught.value.place
    assert 'layer "data" (Data): ' in caught.value.message


def test_colours_need_colour(here):
    with pytest.raises(NetError, match="convert_to_hsv is for images of 3 channels, these have 1") as caught:
        made(layer("crop_size: 9 noise_param { prob: 1\nconvert_to_hsv: true }", source="masks"))
    assert str(caught.value.place).startswith("net.prototxt:4:")


def test_mixing_needs_labels_and_pairs(here):
    with pytest.raises(NetError, match="an even batch_size is expected, it is 3"):
        made(layer(MIX, batch=3))
    with pytest.raises(NetError, match="there is no label top"):
        made(layer(MIX).replace(' top: "label"', ""))
    with pytest.raises(DataError, match=r"record '00000002' has the label 2; mix_param has 2 classes"):
        batches(made(layer(MIX.replace("classes: 3", "classes: 2"))), 1, "data")


def test_records_that_cannot_be_augmented(here):
    write("small", [IMAGES[2], IMAGES[0]])
    with pytest.raises(BrewError, match=r"00000001.*it comes out as 20 x 31: a crop of 30 x 30 does not fit into it"):
        batches(
            made(layer("resize_param { prob: 0.001 height: 40 width: 40 } crop_size: 30", source="small", batch=2)),
            1,
            "data",
        )
    floats = Datum(channels=1, height=4, width=4, float_data=range(16))
    write_lmdb(Path("floats"), [(b"0", floats.SerializeToString())])
    with pytest.raises(DataError, match="its pixels are float_data; augmentation is for bytes"):
        batches(made(layer("distort_param { }", source="floats", batch=1)), 1, "data")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "emit_constraint { emit_type: CENTER } crop_size: 9",
            "emit_constraint has no effect: it says which boxes stay",
        ),
        ("noise_param { inverse: true } crop_size: 9", "noise_param has no effect: its prob is 0"),
        ("resize_param { height: 9 width: 9 height_scale: 3 }", "height_scale has no effect: it is for boxes"),
        (
            "resize_param { height: 9 width: 9 pad_value: 3 }",
            "pad_value has no effect: only FIT_LARGE_SIZE_AND_PAD pads",
        ),
        ("is_mask: true distort_param { } crop_size: 9", "distort_param has no effect: is_mask"),
        ("ignore_label: 3 crop_size: 9", "ignore_label has no effect: it fills masks"),
        (
            "use_gpu_transform: true crop_size: 9",
            "TransformationParameter.use_gpu_transform: true comes from NVIDIA Caffe; it does nothing here",
        ),
    ],
)
def test_what_says_nothing_is_told(text, what, here, caplog):
    with caplog.at_level(logging.WARNING, "brew"):
        made(layer(text))
    assert what in caplog.text


def test_check_finds_wrong_settings(here):
    Path("net.prototxt").write_text(layer("distort_param { hue_prob: 3 }"))
    findings = check_file(Path("net.prototxt"), Options())
    assert any("hue_prob is 3" in str(finding) for finding in findings)


@pytest.mark.parametrize(
    ("images", "masks", "alike"),
    [
        ("resize_param { height: 20 width: 20 interp_mode: CUBIC }", "resize_param { height: 20 width: 20 }", True),
        (
            "random_resize_param { min_size: 16 max_size: 30 resize_param { interp_mode: LINEAR } } crop_size: 12",
            "random_resize_param { min_size: 16 max_size: 30 resize_param { interp_mode: NEAREST } } crop_size: 12",
            True,
        ),
        ("resize_param { height: 20 width: 20 }", "resize_param { height: 20 width: 21 }", False),
        ("vertical_mirror: true", "", False),
    ],
)
def test_what_says_where_pixels_go(images: str, masks: str, alike: bool) -> None:
    """Layers of a pair are warned of where this differs; how pixels are mixed may."""
    assert (transformer(images).geometry == transformer(masks).geometry) is alike
