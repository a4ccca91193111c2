//! Calls from and to customers' PBXs: from a request and documents to attempts in order, or a refusal.
