package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// conn is a connection in keep-alive that sends prepared requests. It reads no more
// of HTTP than benchmarked servers write: a status line, headers with a
// Content-Length or chunks, a body.
type conn struct {
	tcp net.Conn
	buf []byte
	// from and to bound what was read and not yet used of buf.
	from, to int
}

func dial(address string) (*conn, error) {
	tcp, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{tcp: tcp, buf: make([]byte, 64<<10)}, nil
}

// exchange sends a request and reads its answer. The body is valid until the next
// exchange.
func (c *conn) exchange(request []byte) (status int, body []byte, err error) {
	if _, err := c.tcp.Write(request); err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	copy(c.buf, c.buf[c.from:c.to])
	c.from, c.to = 0, c.to-c.from
	end := -1
	for end < 0 {
		if err := c.read(); err != nil {
			return 0, nil, err
		}
		end = bytes.Index(c.buf[:c.to], []byte("\r\n\r\n"))
	}
	head := c.buf[:end+2]
	c.from = end + 4
	if len(head) < 12 {
		return 0, nil, errors.New("the answer has no status")
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, nil, fmt.Errorf("the status of the answer: %w", err)
	}
	if value, ok := header(head, "content-length"); ok {
		length, err := strconv.Atoi(string(value))
		if err != nil {
			return 0, nil, fmt.Errorf("the length of the answer: %w", err)
		}
		body, err = c.take(length)
		return status, body, err
	}
	if value, ok := header(head, "transfer-encoding"); ok && string(value) == "chunked" {
		body, err = c.takeChunks()
		return status, body, err
	}
	return status, nil, nil
}

// header finds a header by its name in lower case.
func header(head []byte, name string) ([]byte, bool) {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		head = rest
		if len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name) {
			return bytes.TrimSpace(line[len(name)+1:]), true
		}
	}
	return nil, false
}

func equalFold(line []byte, lower string) bool {
	for i := range len(lower) {
		if line[i]|0x20 != lower[i] && line[i] != lower[i] {
			return false
		}
	}
	return true
}

func (c *conn) read() error {
	if c.to == len(c.buf) {
		return errors.New("the answer is too long")
	}
	n, err := c.tcp.Read(c.buf[c.to:])
	c.to += n
	if n > 0 {
		return nil
	}
	return fmt.Errorf("read the answer: %w", err)
}

func (c *conn) take(length int) ([]byte, error) {
	for c.to-c.from < length {
		if err := c.read(); err != nil {
			return nil, err
		}
	}
	taken := c.buf[c.from : c.from+length]
	c.from += length
	return taken, nil
}

// takeChunks reads RFC 9112 §7.1, without trailers.
func (c *conn) takeChunks() ([]byte, error) {
	var body []byte
	for {
		var line []byte
		for {
			rest := c.buf[c.from:c.to]
			if i := bytes.Index(rest, []byte("\r\n")); i >= 0 {
				line, c.from = rest[:i], c.from+i+2
				break
			}
			if err := c.read(); err != nil {
				return nil, err
			}
		}
		size, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil {
			return nil, fmt.Errorf("the size of a chunk: %w", err)
		}
		chunk, err := c.take(int(size) + 2)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			return body, nil
		}
		body = append(body, chunk[:size]...)
	}
}

func (c *conn) close() { _ = c.tcp.Close() }
