package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"quietpost/digest"
)

// Items implements digest.ArchiveStore.
func (m *Memory) Items(ctx context.Context, q digest.ItemQuery) ([]digest.Item, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Item
	for i := len(m.items) - 1; i >= 0 && len(out) < q.Limit; i-- {
		it := m.items[i]
		if (q.Before == 0 || it.Number < q.Before) && (len(q.Projects) == 0 || slices.Contains(q.Projects, it.Project)) && (!q.Urgent || it.Urgent) {
			out = append(out, cloneItem(it))
		}
	}
	return out, nil
}

// Item implements digest.ArchiveStore.
func (m *Memory) Item(ctx context.Context, number int64) (digest.Item, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Item{}, err
	}
	defer m.mu.Unlock()
	if number < 1 || number > int64(len(m.items)) {
		return digest.Item{}, fmt.Errorf("item %d: %w", number, digest.ErrNotFound)
	}
	return cloneItem(m.items[number-1]), nil
}

// Projects implements digest.ArchiveStore.
func (m *Memory) Projects(ctx context.Context) ([]digest.ProjectCount, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.ProjectCount
	for i := range m.items {
		it := &m.items[i]
		at, found := slices.BinarySearchFunc(out, it.Project, func(c digest.ProjectCount, key string) int {
			return cmp.Compare(c.Project, key)
		})
		if !found {
			out = slices.Insert(out, at, digest.ProjectCount{Project: it.Project})
		}
		out[at].Items++
		out[at].Last = it.ReceivedAt
		if it.Urgent {
			out[at].Urgent++
		}
	}
	return out, nil
}

// Receipts implements digest.ArchiveStore.
func (m *Memory) Receipts(ctx context.Context, state string, limit int) ([]digest.Receipt, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Receipt
	for i := len(m.receipts) - 1; i >= 0 && len(out) < limit; i-- {
		if r := m.receipts[i]; state == "" || r.State == state {
			r.Header, r.Raw = nil, nil
			out = append(out, r)
		}
	}
	return out, nil
}

// Receipt implements digest.ArchiveStore.
func (m *Memory) Receipt(ctx context.Context, id int64) (digest.Receipt, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Receipt{}, err
	}
	defer m.mu.Unlock()
	if id < 1 || id > int64(len(m.receipts)) {
		return digest.Receipt{}, fmt.Errorf("receipt %d: %w", id, digest.ErrNotFound)
	}
	r := m.receipts[id-1]
	r.Header, r.Raw = clone(r.Header), clone(r.Raw)
	return r, nil
}
