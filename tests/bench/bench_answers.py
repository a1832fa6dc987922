"""A million answers with known readings: `python -m tests.bench.bench_answers --count 1000000`.

The forms are those of tests/robustness; nine in ten strings are drawn from them, one is mutated.
"""

import argparse
import time
from random import Random

from tests.robustness.answer_forms import FORMS, mutated
from tests.robustness.test_answers import assert_sound, reading
from vtg_eval.parsing.spans import strict
from vtg_eval.parsing.strict_choice import strict as strict_choice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="number of strings")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw = Random(args.seed)
    wrong, slowest, parsing = [], 0.0, 0.0
    for number in range(args.count):
        if number % 10:
            form = FORMS[number % len(FORMS)]
            answer = form.make(draw)
            start = time.process_time()
            got = reading(form, answer.text)
            took = time.process_time() - start
            if got != answer.right:
                wrong.append((form.name, answer.text, answer.right, got))
        else:
            text, options = mutated(draw)
            start = time.process_time()
            parse = strict(text)
            strict_choice(text, options)
            took = time.process_time() - start
            assert_sound(parse)
        parsing, slowest = parsing + took, max(slowest, took)
    for line in wrong[:20]:
        print(*map(repr, line))
    print(f"{args.count} answers of {len(FORMS)} forms: {len(wrong)} read wrongly")
    print(f"{parsing / args.count * 1e6:.0f} µs an answer, the slowest {slowest * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
