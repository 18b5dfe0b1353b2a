package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// leanClient is an HTTP client for load: one kept connection, requests put
// together by hand, no more read of the answer than is needed. The machine that
// measures is the one that serves, so what the client costs is taken from it.
type leanClient struct {
	conn net.Conn
	r    *bufio.Reader
}

func newLeanClient(url string) (*leanClient, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return nil, err
	}
	return &leanClient{conn: conn, r: bufio.NewReader(conn)}, nil
}

// post sends a form and gives the body of an answer with status 200.
func (c *leanClient) post(path, form string) (string, error) {
	_, err := io.WriteString(c.conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "+strconv.Itoa(len(form))+"\r\n\r\n"+form)
	if err != nil {
		return "", err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(status), " 200 ") {
		return "", fmt.Errorf("%s", status)
	}
	length := -1
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return "", err
			}
		}
	}
	if length < 0 {
		return "", fmt.Errorf("the answer has no length")
	}
	body := make([]byte, length)
	_, err = io.ReadFull(c.r, body)
	return string(body), err
}
