from argparse import ArgumentParser

from vtg_eval.cli.run_arguments import add_run_arguments
from vtg_eval.cli.run_options import run_options
from vtg_eval.engines.base import EngineOptions


def test_the_defaults_on_the_command_line_are_those_of_the_engines() -> None:
    parser = ArgumentParser()
    add_run_arguments(parser)
    parser.add_argument("--quiet")
    options = run_options(parser.parse_args(["--model", "nano", "--tasks", "synth_vtg"]))
    assert options.engine_options == EngineOptions()
