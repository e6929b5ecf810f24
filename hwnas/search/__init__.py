"""How architectures are looked for: policies, searchers, the loop that runs them,
hypergradients."""
