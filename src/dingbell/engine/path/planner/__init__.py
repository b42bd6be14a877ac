"""Planning: due runs become batches with slots."""
