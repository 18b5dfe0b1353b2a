package cache

import (
	"errors"
	"testing"
)

func TestCache(t *testing.T) {
	t.Run("a value read before an invalidation is not kept", func(t *testing.T) {
		c := New[string, int](4)
		got, err := c.Load("a", func() (int, error) {
			c.Drop("a") // the change arrives while the old value is being read
			return 1, nil
		})
		if err != nil || got != 1 {
			t.Fatalf("Load = %d, %v", got, err)
		}
		if _, ok := c.Get("a"); ok {
			t.Error("a stale value was kept")
		}
	})
	t.Run("an undisturbed read is kept", func(t *testing.T) {
		c := New[string, int](4)
		for range 2 {
			if got, err := c.Load("a", func() (int, error) { return 7, nil }); err != nil || got != 7 {
				t.Fatalf("Load = %d, %v", got, err)
			}
		}
		if v, ok := c.Drop("a"); !ok || v != 7 {
			t.Errorf("Drop = %d, %v", v, ok)
		}
		if _, ok := c.Get("a"); ok {
			t.Error("dropped value is still there")
		}
	})
	t.Run("errors are not kept", func(t *testing.T) {
		c := New[string, int](4)
		fault := errors.New("no")
		if _, err := c.Load("a", func() (int, error) { return 0, fault }); !errors.Is(err, fault) {
			t.Fatalf("err = %v", err)
		}
		if c.Len() != 0 {
			t.Error("an error was kept")
		}
	})
	t.Run("bounded", func(t *testing.T) {
		c := New[int, int](3)
		for i := range 10 {
			_, _ = c.Load(i, func() (int, error) { return i, nil })
		}
		if c.Len() != 3 {
			t.Errorf("Len = %d", c.Len())
		}
	})
}
