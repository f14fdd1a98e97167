package wrapper

import (
	"context"
	"iter"
)

// pageSize is how many are asked for at once when the caller does not say: the most that every list allows.
const pageSize = 100

// all walks a list page by page. It ends at the total that the API states, or at an empty page, whichever comes first.
func all[T any](ctx context.Context, limit, offset *int64, page func(limit, offset *int64) (items []T, total int64, err error)) iter.Seq2[*T, error] {
	if limit == nil {
		limit = new(int64(pageSize))
	}
	return func(yield func(*T, error) bool) {
		var at int64
		if offset != nil {
			at = *offset
		}
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			items, total, err := page(limit, new(at))
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range items {
				if !yield(&items[i], nil) {
					return
				}
			}
			at += int64(len(items))
			if len(items) == 0 || at >= total {
				return
			}
		}
	}
}
