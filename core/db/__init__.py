"""The store's machinery: engine, column types, paging, change marks."""
