//! The REST API, after Crossbar's conventions: one place for the protocol, one file a resource.
