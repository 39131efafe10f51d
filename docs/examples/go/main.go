// Runs the pipeline on an image, with the bytes in the call or by way of the store, and writes the generated image:
//
//	go run . inline|links IMAGE OUT.png
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // so that details can be read
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "example/gen/biosynth/v1" // `buf generate` makes it
)

//go:embed service_config.json
var serviceConfig string // retries

func main() {
	if err := example(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		for _, detail := range status.Convert(err).Details() {
			fmt.Fprintln(os.Stderr, detail)
		}
		os.Exit(1)
	}
}

func example(way, from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	connection, err := connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // one deadline for all calls together
	defer cancel()
	if ctx, err = withToken(ctx); err != nil {
		return err
	}
	var image []byte
	client := pb.NewPipelineServiceClient(connection)
	if way == "inline" {
		image, err = inline(ctx, client, data)
	} else {
		image, err = byLinks(ctx, client, data, strings.TrimPrefix(filepath.Ext(from), ".")) // png, tif or jpg
	}
	if err != nil {
		return err
	}
	fmt.Printf("got %d bytes for %s\n", len(image), to)
	return os.WriteFile(to, image, 0o644)
}

func connect() (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if file := os.Getenv("BIOSYNTH_ENDPOINT_CA_FILE"); file != "" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(file, ""); err != nil {
			return nil, err
		}
	}
	endpoint := cmp.Or(os.Getenv("BIOSYNTH_ENDPOINT"), "127.0.0.1:50051")
	return grpc.NewClient(endpoint, grpc.WithTransportCredentials(security),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(68<<20),     // Go takes 4 MiB otherwise
			grpc.MaxRetryRPCBufferSize(40<<20))) // and repeats no call of more than 256 KiB
}

func withToken(ctx context.Context) (context.Context, error) {
	file := os.Getenv("BIOSYNTH_ENDPOINT_TOKEN_FILE")
	if file == "" {
		return ctx, nil
	}
	token, err := os.ReadFile(file)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token))), err
}

func inline(ctx context.Context, client pb.PipelineServiceClient, data []byte) ([]byte, error) {
	image := &pb.Content{Source: &pb.Content_File{File: data}}
	generated, err := run(ctx, client, image, pb.Delivery_DELIVERY_FILE)
	return generated.GetFile(), err
}

func byLinks(
	ctx context.Context, client pb.PipelineServiceClient, data []byte, extension string,
) ([]byte, error) {
	sum := sha256.Sum256(data)
	upload, err := client.CreateUpload(ctx, &pb.CreateUploadRequest{
		Sha256: hex.EncodeToString(sum[:]), SizeBytes: uint64(len(data)), Extension: extension,
	})
	if err != nil {
		return nil, err
	}
	if upload.Url != "" { // empty: the store has it
		if _, err := transfer(ctx, http.MethodPut, upload.Url, upload.Headers, data); err != nil {
			return nil, err
		}
	}
	image := &pb.Content{Source: &pb.Content_Object{Object: upload.Object}}
	generated, err := run(ctx, client, image, pb.Delivery_DELIVERY_OBJECT)
	if err != nil {
		return nil, err
	}
	download, err := client.CreateDownload(ctx, &pb.CreateDownloadRequest{Object: generated.GetObject()})
	if err != nil {
		return nil, err
	}
	return transfer(ctx, http.MethodGet, download.Url, nil, nil)
}

// run returns the generated image in the way that delivery asks for.
func run(
	ctx context.Context, client pb.PipelineServiceClient, image *pb.Content, delivery pb.Delivery,
) (*pb.Content, error) {
	stream, err := client.Run(ctx, &pb.RunRequest{Source: &pb.RunRequest_Image{Image: image}, Delivery: delivery})
	if err != nil {
		return nil, err
	}
	var generated *pb.Content
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return generated, nil
		}
		if err != nil {
			return nil, err
		}
		if progress := response.GetProgress(); progress != nil {
			fmt.Println(progress.Stage, map[bool]string{false: "...", true: "done"}[progress.Done])
		}
		if result := response.GetResult(); result != nil {
			generated = result.Generation.Image
		}
	}
}

func transfer(ctx context.Context, method, url string, headers map[string]string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	// 412 to an upload: the store has it by now.
	if reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusPreconditionFailed {
		return nil, fmt.Errorf("the store answered %s with %s", method, reply.Status)
	}
	return io.ReadAll(reply.Body)
}
