//! Gauges that are read while a run goes on, and are nobody's own: the machine's.
