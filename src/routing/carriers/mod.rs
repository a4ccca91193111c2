//! Which carriers take a number, in which order; pure, over a table compiled from the resource documents.
