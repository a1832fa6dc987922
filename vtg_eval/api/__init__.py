"""The Python interface. `import vtg_eval` has all of it; these modules are loaded when needed."""
