//! Path templates and the router: strings only; it matches paths and returns `T`.
