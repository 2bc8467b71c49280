"""Hugging Face's VideoMAE: its names and equations, written down here, against our ViT with its weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.models.backbones.vit import ViT, sinusoid_table
from slowfast.models.classifier import VideoClassifier
from slowfast.weights.load import load_weights

DIM, HEADS, DEPTH, CLASSES = 16, 2, 2, 5
SIZES = {
    "attention.attention.query.weight": (DIM, DIM), "attention.attention.key.weight": (DIM, DIM),
    "attention.attention.value.weight": (DIM, DIM), "attention.attention.q_bias": (DIM,),
    "attention.attention.v_bias": (DIM,), "attention.output.dense.weight": (DIM, DIM), "attention.output.dense.bias": (DIM,),
    "intermediate.dense.weight": (4 * DIM, DIM), "intermediate.dense.bias": (4 * DIM,),
    "output.dense.weight": (DIM, 4 * DIM), "output.dense.bias": (DIM,), "layernorm_before.weight": (DIM,),
    "layernorm_before.bias": (DIM,), "layernorm_after.weight": (DIM,), "layernorm_after.bias": (DIM,),
}  # fmt: skip


def encoder(prefix: str = "videomae.") -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = {f"{prefix}encoder.layer.{i}.{name}": size for i in range(DEPTH) for name, size in SIZES.items()}
    sizes[f"{prefix}embeddings.patch_embeddings.projection.weight"] = (DIM, 3, 2, 8, 8)
    sizes[f"{prefix}embeddings.patch_embeddings.projection.bias"] = (DIM,)
    return {name: 0.2 * torch.randn(size, generator=generator) for name, size in sizes.items()}


def fine_tuned(norm: str = "fc_norm") -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sizes = {
        f"{norm}.weight": (DIM,),
        f"{norm}.bias": (DIM,),
        "classifier.weight": (CLASSES, DIM),
        "classifier.bias": (CLASSES,),
    }
    return encoder() | {name: torch.randn(size, generator=generator) for name, size in sizes.items()}


def tokens_of(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    """(B, N, C): the tokens after the last block, by the equations of transformers' modeling_videomae."""
    e = "videomae.embeddings.patch_embeddings.projection."
    x = F.conv3d(clip, state[e + "weight"], state[e + "bias"], stride=(2, 8, 8)).flatten(2).transpose(1, 2)
    x = x + sinusoid_table(x.shape[1], DIM)
    for i in range(DEPTH):
        p = {name: state[f"videomae.encoder.layer.{i}.{name}"] for name in SIZES}

        def norm(x: Tensor, which: str, p: dict = p) -> Tensor:
            return F.layer_norm(x, (DIM,), p[f"layernorm_{which}.weight"], p[f"layernorm_{which}.bias"], eps=1e-12)

        y, heads = norm(x, "before"), (HEADS, DIM // HEADS)
        a = "attention.attention."
        q = F.linear(y, p[a + "query.weight"], p[a + "q_bias"]).unflatten(2, heads).transpose(1, 2)
        k = F.linear(y, p[a + "key.weight"]).unflatten(2, heads).transpose(1, 2)
        v = F.linear(y, p[a + "value.weight"], p[a + "v_bias"]).unflatten(2, heads).transpose(1, 2)
        weights = (q @ k.transpose(2, 3) / (DIM // HEADS) ** 0.5).softmax(-1)
        y = (weights @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(y, p["attention.output.dense.weight"], p["attention.output.dense.bias"])
        y = F.gelu(F.linear(norm(x, "after"), p["intermediate.dense.weight"], p["intermediate.dense.bias"]))
        x = x + F.linear(y, p["output.dense.weight"], p["output.dense.bias"])
    return x


def model(seed: int = 0, *, mean_pooling: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    backbone = ViT(depth=DEPTH, dim=DIM, num_heads=HEADS, tubelet=(2, 8, 8), pretraining_size=(4, 24, 24))
    return VideoClassifier(backbone, num_classes=CLASSES, mean_pooling=mean_pooling).eval()


def saved(tmp_path, content):
    torch.save(content, tmp_path / "pytorch_model.bin")
    return tmp_path / "pytorch_model.bin"


CLIP = torch.randn(2, 3, 4, 24, 24, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("norm", ["fc_norm", "videomae.layernorm"])
def test_logits_are_those_of_its_equations(tmp_path, norm):
    """fc_norm comes after the mean of the tokens; layernorm, of files without mean pooling there, before it."""
    state = fine_tuned(norm)
    ours = model(mean_pooling=norm == "fc_norm")
    report = load_weights(ours, saved(tmp_path, state))
    assert report.naming == "Hugging Face VideoMAE" and not report.started and not report.dropped
    x, weight, bias = tokens_of(state, CLIP), state[f"{norm}.weight"], state[f"{norm}.bias"]
    pooled = (
        F.layer_norm(x.mean(1), (DIM,), weight, bias)
        if norm == "fc_norm"
        else F.layer_norm(x, (DIM,), weight, bias).mean(1)
    )
    expected = F.linear(pooled, state["classifier.weight"], state["classifier.bias"])
    with torch.no_grad():
        assert torch.allclose(ours(CLIP), expected, atol=2e-4)
        assert not torch.allclose(model()(CLIP), expected, atol=1e-2)


def test_names_without_the_models_own_prefix_and_biases_of_all_three(tmp_path):
    """A bare VideoMAEModel, and projections whose biases have names of their own: that of the keys does nothing."""
    state = {name.removeprefix("videomae."): tensor for name, tensor in fine_tuned().items()}
    for i in range(DEPTH):
        attention = f"encoder.layer.{i}.attention.attention."
        for part, name in (("query", "q_bias"), ("value", "v_bias")):
            state[f"{attention}{part}.bias"] = state.pop(attention + name)
        state[f"{attention}key.bias"] = torch.full((DIM,), 3.0)
    ours, same = model(), model(1)
    report = load_weights(ours, saved(tmp_path, state))
    assert set(report.dropped) == {f"encoder.layer.{i}.attention.attention.key.bias" for i in range(DEPTH)}
    load_weights(same, saved(tmp_path, fine_tuned()))
    with torch.no_grad():
        assert torch.equal(ours(CLIP), same(CLIP))


def test_its_pre_training_starts_the_classifier_and_leaves_the_decoder(tmp_path):
    state = encoder() | {
        "videomae.layernorm.weight": torch.ones(DIM), "videomae.layernorm.bias": torch.zeros(DIM),
        "decoder.decoder_layers.0.output.dense.weight": torch.ones(2, 2), "decoder.head.weight": torch.ones(2),
        "encoder_to_decoder.weight": torch.ones(2, 2), "mask_token": torch.ones(1, 1, 2),
    }  # fmt: skip
    ours = model()
    report = load_weights(ours, saved(tmp_path, state))
    assert report.naming == "Hugging Face VideoMAE pre-training"
    assert set(report.started) == {"head.projection.weight", "head.projection.bias"} and len(report.dropped) == 4
    with torch.no_grad():
        assert torch.allclose(
            ours.backbone(CLIP).flatten(1, 3), F.layer_norm(tokens_of(state, CLIP), (DIM,)), atol=2e-4
        )


def test_a_fine_tuned_file_without_its_last_norm_is_an_error(tmp_path):
    state = {name: tensor for name, tensor in fine_tuned().items() if not name.startswith("fc_norm")}
    with pytest.raises(ValueError, match=r"missing               2\n      norm\.\{weight,bias\}"):
        load_weights(model(), saved(tmp_path, state))
