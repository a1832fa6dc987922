"""Train the shipped model `nano` from scratch: `python -m vtg_eval.training.nano --out DIR`.

Supervised learning on generated scenes, each used once. `docs/nano.md` has the origin and scores of
the shipped weights. The state is saved every `--save-minutes`, a checkpoint at the end and after
Ctrl-C; `--start CHECKPOINT` continues from one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import Qwen3VLForConditionalGeneration

from vtg_eval.engines.loading import load_model
from vtg_eval.files.atomic import atomic_path
from vtg_eval.metrics.iou import iou
from vtg_eval.parsing.spans import SPAN_PARSERS
from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.registry import Registry

from .data import Clip, ClipMaker, Clips, answer_text, description
from .model import END, build_config, build_tokenizer, load_tokenizer, save_checkpoint
from .step import Teacher, forward, use_even_chunks, with_noise


def main() -> None:
    """Train and save."""
    args = _arguments()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = load_tokenizer(args.start) if args.start else build_tokenizer(_corpus(), _phrases())
    if args.start:
        model = load_model(args.start, torch.float32)
    else:
        model = Qwen3VLForConditionalGeneration(build_config(tokenizer, args.spread))
    model.to(device=device, dtype=torch.float32).train()
    use_even_chunks(model)
    maker = ClipMaker(tokenizer)
    trainer = Trainer(model, maker, device, args)
    try:
        trainer.train()
    except KeyboardInterrupt:
        print("interrupted: saving what there is", flush=True)
    trainer.save()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--minutes", type=float, default=25.0, help="stop after so long")
    parser.add_argument("--steps", type=int, default=1_000_000, help="stop after so many steps")
    parser.add_argument("--clips", type=int, default=32, help="videos in a batch")
    parser.add_argument("--descriptions", type=int, default=1, help="further questions a video")
    parser.add_argument("--ramp", type=int, default=40_000, help="clips from easy to hard")
    parser.add_argument("--held-out", type=int, default=48, help="videos to watch progress on")
    parser.add_argument("--workers", type=int, default=15, help="processes that generate scenes")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument(
        "--spread", type=float, default=0.02, help="standard deviation of the initial weights"
    )
    parser.add_argument("--start", type=Path, help="a checkpoint to continue from")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log-seconds", type=float, default=20.0)
    parser.add_argument("--save-minutes", type=float, default=5.0)
    return parser.parse_args()


def _corpus() -> Iterator[str]:
    """Yield the texts of some scenes, on which the tokenizer is trained."""
    registry = Registry.discover()
    task = registry.task("synth_vtg")
    protocol = registry.protocol_for(task.card, DEFAULT_PROTOCOL)
    for number in range(200):
        scene = task.scene("nano-tokens", number)
        for sample in task.scene_samples("nano-tokens", scene):
            yield protocol.prompt.text.replace("{query}", sample.query)
            yield answer_text(sample)
        yield f"What is on screen at {number / 5:.1f} seconds?"
        yield description(scene, 0)
    for index in range(200):
        yield f"user\n<{index / 5:.1f} seconds>assistant\nsystem\n"


def _phrases() -> list[str]:
    """Return the text that is the same in every prompt: the protocol's and the end of a stamp."""
    prompt = Registry.discover().protocol(DEFAULT_PROTOCOL).without_task.prompt.text
    return [*(part for part in prompt.split("{query}") if part), " seconds>"]


class Trainer:
    """AdamW with a cosine over the time budget; loss on the answers only."""

    def __init__(
        self, model: Any, maker: ClipMaker, device: torch.device, args: argparse.Namespace
    ) -> None:
        self.model, self.maker, self.device, self.args = model, maker, device, args
        self.teacher = Teacher(model.config.text_config.hidden_size).to(device)
        parameters = [*model.parameters(), *self.teacher.parameters()]
        matrices = [p for p in parameters if p.ndim > 1]
        vectors = [p for p in parameters if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": 0.05},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.98))
        self.step = 0
        self.spent = 0.0  # seconds of training, over all sessions

    def train(self) -> None:
        """Train until the time or the steps are used up."""
        args = self.args
        clips = Clips(self.maker, args.clips, args.descriptions, args.ramp, args.first)
        loader = DataLoader(
            clips,
            batch_size=None,
            num_workers=self.args.workers,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=4 if self.args.workers else None,
        )
        batches = iter(loader)  # forks, so before the scaler starts its threads below
        held_out = [self.maker.clip("nano-held-out", i) for i in range(self.args.held_out)]
        budget = self.args.minutes * 60
        began, before, saved, logged = time.monotonic(), self.spent, self.spent, self.spent
        for batch in batches:
            part = max(self.spent / budget, self.step / self.args.steps)
            if part >= 1:
                break
            loss = self._update(batch, part)
            self.step += 1
            self.spent = before + time.monotonic() - began
            if self.spent - logged > self.args.log_seconds:
                logged = self.spent
                row = {"step": self.step, "seconds": round(self.spent), "loss": round(loss, 4)}
                print(json.dumps(row | self.evaluate(held_out)), flush=True)
            if self.spent - saved > self.args.save_minutes * 60:
                saved = self.spent
                self.save_state()

    def _update(self, batch: dict[str, Tensor], part: float) -> float:
        warm = min(1.0, (self.step + 1) / 200)
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * part)) / 2)
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}
        batch["frames"] = with_noise(batch["frames"])
        with torch.autocast(self.device.type, torch.bfloat16):
            logits, states = forward(self.model, batch)
        loss = functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), batch["labels"][:, 1:].flatten()
        )
        auxiliary = self.teacher(states, batch)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + auxiliary).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def evaluate(self, clips: list[Clip], room: int = 14) -> dict[str, float]:
        """Answer held-out questions greedily; return mean IoU and the share of exact answers."""
        tokenizer = self.maker.tokenizer
        asked = [row for clip in clips for row in clip.asked(room, tokenizer.pad_token_id)]
        truths = [
            tokenizer.decode(tail[start:]).split(END)[0]
            for clip in clips
            for tail, start in zip(clip.tails, clip.answers, strict=True)
        ]
        batch = {key: value.to(self.device) for key, value in self.maker.batch(asked).items()}
        ids = batch["input_ids"]
        starts = (batch["labels"] != -100).int().argmax(dim=1)
        rows = torch.arange(len(starts), device=self.device)
        for i in range(room):
            ids[rows, starts + i] = forward(self.model, batch)[0][rows, starts + i - 1].argmax(-1)
        answers = [
            tokenizer.decode(row[start : start + room]).split(END)[0]
            for row, start in zip(ids, starts, strict=True)
        ]
        pairs = list(zip(answers, truths, strict=True))
        return {
            "mIoU": round(sum(_iou(a, b) for a, b in pairs) / len(pairs), 4),
            "exact": round(sum(a == b for a, b in pairs) / len(pairs), 4),
        }

    def save_state(self) -> None:
        """Write the state to resume from."""
        self.args.out.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent": self.spent,
        }
        with atomic_path(self.args.out / "state.pt") as part:
            torch.save(state, part)

    def save(self) -> None:
        """Write the state and the checkpoint."""
        self.save_state()
        save_checkpoint(self.model, self.maker.tokenizer, self.args.out / "checkpoint")


def _iou(answer: str, truth: str) -> float:
    """Return the IoU of an answer with the right answer's text, by the harness's parser and IoU."""
    parsed, target = (SPAN_PARSERS["strict-2"](text) for text in (answer, truth))
    if not (parsed.spans and target.spans):
        return float(parsed.absent and target.absent)
    return float(iou(np.array(parsed.spans[0]), np.array(target.spans[0])))


if __name__ == "__main__":
    main()
