// A stand-in for the provider oracle/oci that implements only its schema.
//
// The real provider is large, and a build machine may not reach its registry. With this stand-in,
// `terraform validate` checks every resource, block, attribute and required flag of deploy/terraform against the real
// provider's schema (schema.json), and `terraform test` runs the plans with mocked answers. It does not create
// or read resources: such calls are errors.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"sort"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

//go:embed schema.json
var schemaJSON []byte

type document struct {
	Configuration map[string]json.RawMessage            `json:"configuration"`
	Resources     map[string]map[string]json.RawMessage `json:"resources"`
	DataSources   map[string]map[string]json.RawMessage `json:"data_sources"`
}

// server implements the calls of a mocked run. Every other call of the protocol panics in the embedded interface, which
// Terraform reports as a crash of the plugin.
type server struct {
	tfprotov5.ProviderServer
	schema *tfprotov5.GetProviderSchemaResponse
}

func (s *server) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	return &tfprotov5.GetMetadataResponse{}, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return s.schema, nil
}

func (s *server) PrepareProviderConfig(_ context.Context, request *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (s *server) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (s *server) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (s *server) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{Diagnostics: []*tfprotov5.Diagnostic{{
		Severity: tfprotov5.DiagnosticSeverityError,
		Summary:  "This is the stand-in of deploy/check",
		Detail:   "It has the provider's schema and creates nothing; run terraform init without its CLI configuration.",
	}}}, nil
}

// UpgradeResourceState returns a mocked resource unchanged. OpenTofu calls it when it cleans up after a test.
func (s *server) UpgradeResourceState(_ context.Context, request *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	schema, known := s.schema.ResourceSchemas[request.TypeName]
	if !known {
		return nil, fmt.Errorf("no resource %s in the schema", request.TypeName)
	}
	state, err := request.RawState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	upgraded, err := tfprotov5.NewDynamicValue(schema.ValueType(), state)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &upgraded}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// block parses one block: its attributes are strings as "R:string", its nested blocks objects with "_block".
func block(path string, fields map[string]json.RawMessage) (*tfprotov5.SchemaBlock, error) {
	result := &tfprotov5.SchemaBlock{}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if name == "_block" {
			continue
		}
		here := path + "." + name
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			attribute, err := attribute(here, name, text)
			if err != nil {
				return nil, err
			}
			result.Attributes = append(result.Attributes, attribute)
			continue
		}
		nested, err := nestedBlock(here, name, fields[name])
		if err != nil {
			return nil, err
		}
		result.BlockTypes = append(result.BlockTypes, nested)
	}
	return result, nil
}

func attribute(path, name, text string) (*tfprotov5.SchemaAttribute, error) {
	flags, typeText, found := strings.Cut(text, ":")
	if !found {
		return nil, fmt.Errorf("%s: %q has no type", path, text)
	}
	if !strings.HasPrefix(typeText, "[") {
		typeText = `"` + typeText + `"`
	}
	//nolint:staticcheck // the only parser of the protocol's type notation
	attributeType, err := tftypes.ParseJSONType([]byte(typeText))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &tfprotov5.SchemaAttribute{
		Name:       name,
		Type:       attributeType,
		Required:   strings.Contains(flags, "R"),
		Optional:   strings.Contains(flags, "O"),
		Computed:   strings.Contains(flags, "C"),
		Sensitive:  strings.Contains(flags, "S"),
		Deprecated: strings.Contains(flags, "D"),
	}, nil
}

func nestedBlock(path, name string, raw json.RawMessage) (*tfprotov5.SchemaNestedBlock, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var header string
	if err := json.Unmarshal(fields["_block"], &header); err != nil {
		return nil, fmt.Errorf("%s._block: %w", path, err)
	}
	inner, err := block(path, fields)
	if err != nil {
		return nil, err
	}
	result := &tfprotov5.SchemaNestedBlock{TypeName: name, Block: inner}
	words := strings.Fields(header)
	switch words[0] {
	case "list":
		result.Nesting = tfprotov5.SchemaNestedBlockNestingModeList
	case "set":
		result.Nesting = tfprotov5.SchemaNestedBlockNestingModeSet
	case "single":
		result.Nesting = tfprotov5.SchemaNestedBlockNestingModeSingle
	default:
		return nil, fmt.Errorf("%s._block: unknown nesting %q", path, words[0])
	}
	for i := 1; i+1 < len(words); i += 2 {
		var count int64
		if _, err := fmt.Sscan(words[i+1], &count); err != nil {
			return nil, fmt.Errorf("%s._block: %q: %w", path, header, err)
		}
		switch words[i] {
		case "min":
			result.MinItems = count
		case "max":
			result.MaxItems = count
		default:
			return nil, fmt.Errorf("%s._block: unknown word %q", path, words[i])
		}
	}
	return result, nil
}

func schemas(kind string, all map[string]map[string]json.RawMessage) (map[string]*tfprotov5.Schema, error) {
	result := make(map[string]*tfprotov5.Schema, len(all))
	for name, fields := range all {
		read, err := block(kind+" "+name, fields)
		if err != nil {
			return nil, err
		}
		result[name] = &tfprotov5.Schema{Block: read}
	}
	return result, nil
}

func read(text []byte) (*tfprotov5.GetProviderSchemaResponse, error) {
	var all document
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	configuration, err := block("provider", all.Configuration)
	if err != nil {
		return nil, err
	}
	resources, err := schemas("resource", all.Resources)
	if err != nil {
		return nil, err
	}
	dataSources, err := schemas("data", all.DataSources)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.GetProviderSchemaResponse{
		Provider:          &tfprotov5.Schema{Block: configuration},
		ResourceSchemas:   resources,
		DataSourceSchemas: dataSources,
	}, nil
}

func main() {
	schema, err := read(schemaJSON)
	if err != nil {
		log.Fatalf("schema.json: %v", err)
	}
	if err := tf5server.Serve("oracle/oci", func() tfprotov5.ProviderServer { return &server{schema: schema} }); err != nil {
		log.Fatal(err)
	}
}
