//! Training stacks: each lowers a scenario to a step program.
