"""A third party's plug-in for tests of runs: a task, an adapter, an engine and a decoder.

