# One network with four subnets. Only the gateway's subnet accepts connections from outside. Security groups open the listed
# ports only; the network's default security list, which opens SSH, is empty.

locals {
  tcp  = "6"
  icmp = "1"

  kafka_port = 9092

  subnets = {
    gateway   = { number = 0, public = true, routes = "public" }
    functions = { number = 1, public = false, routes = "private" }
    stream    = { number = 2, public = false, routes = "private" }
    apps      = { number = 3, public = false, routes = "private" }
  }

  groups = toset(["gateway", "functions", "stream", "job", "endpoints"])

  oracle_services = one(data.oci_core_services.all.services)
}

data "oci_core_services" "all" {
  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

resource "oci_core_vcn" "main" {
  compartment_id = var.compartment_ocid
  display_name   = var.name
  cidr_blocks    = [var.vcn_cidr]
  dns_label      = var.name
  freeform_tags  = var.freeform_tags
}

resource "oci_core_internet_gateway" "main" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-internet"
  freeform_tags  = var.freeform_tags
}

resource "oci_core_nat_gateway" "main" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-nat"
  freeform_tags  = var.freeform_tags
}

# The route to Object Storage, Vault and the registry within Oracle's network.
resource "oci_core_service_gateway" "main" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-services"
  freeform_tags  = var.freeform_tags

  services {
    service_id = local.oracle_services.id
  }
}

resource "oci_core_route_table" "public" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-public"
  freeform_tags  = var.freeform_tags

  route_rules {
    description       = "The internet"
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_internet_gateway.main.id
  }
}

resource "oci_core_route_table" "private" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-private"
  freeform_tags  = var.freeform_tags

  route_rules {
    description       = "Oracle's services"
    destination       = local.oracle_services.cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
    network_entity_id = oci_core_service_gateway.main.id
  }

  route_rules {
    description       = "The internet, outwards only"
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_nat_gateway.main.id
  }
}

resource "oci_core_default_security_list" "emptied" {
  manage_default_resource_id = oci_core_vcn.main.default_security_list_id
  compartment_id             = var.compartment_ocid
  display_name               = "${var.name}-nothing-but-path-mtu"
  freeform_tags              = var.freeform_tags

  ingress_security_rules {
    description = "Path MTU discovery"
    protocol    = local.icmp
    source      = "0.0.0.0/0"

    icmp_options {
      type = 3
      code = 4
    }
  }
}

resource "oci_core_subnet" "part" {
  for_each = local.subnets

  compartment_id             = var.compartment_ocid
  vcn_id                     = oci_core_vcn.main.id
  display_name               = "${var.name}-${each.key}"
  cidr_block                 = cidrsubnet(var.vcn_cidr, 8, each.value.number)
  dns_label                  = each.key
  prohibit_public_ip_on_vnic = !each.value.public
  prohibit_internet_ingress  = !each.value.public
  route_table_id             = each.value.routes == "public" ? oci_core_route_table.public.id : oci_core_route_table.private.id
  security_list_ids          = [oci_core_default_security_list.emptied.id]
  freeform_tags              = var.freeform_tags
}

resource "oci_core_network_security_group" "part" {
  for_each = local.groups

  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.main.id
  display_name   = "${var.name}-${each.key}"
  freeform_tags  = var.freeform_tags
}

locals {
  # The allowed connections, one per line. If both ends are security groups, rules are created on both.
  conversations = {
    functions-to-stream = { from = "functions", to = "stream", port = local.kafka_port, what = "Publishing" }
    job-to-stream       = { from = "job", to = "stream", port = local.kafka_port, what = "Reading and committing" }
    job-to-endpoints    = { from = "job", to = "endpoints", port = local.endpoint_port, what = "Deliveries" }
  }

  # All programs read images, settings or secrets from Oracle's services.
  service_users = toset(["functions", "job", "endpoints"])
}

resource "oci_core_network_security_group_security_rule" "out" {
  for_each = local.conversations

  network_security_group_id = oci_core_network_security_group.part[each.value.from].id
  description               = each.value.what
  direction                 = "EGRESS"
  protocol                  = local.tcp
  destination               = oci_core_network_security_group.part[each.value.to].id
  destination_type          = "NETWORK_SECURITY_GROUP"

  tcp_options {
    destination_port_range {
      min = each.value.port
      max = each.value.port
    }
  }
}

resource "oci_core_network_security_group_security_rule" "in" {
  for_each = local.conversations

  network_security_group_id = oci_core_network_security_group.part[each.value.to].id
  description               = each.value.what
  direction                 = "INGRESS"
  protocol                  = local.tcp
  source                    = oci_core_network_security_group.part[each.value.from].id
  source_type               = "NETWORK_SECURITY_GROUP"

  tcp_options {
    destination_port_range {
      min = each.value.port
      max = each.value.port
    }
  }
}

resource "oci_core_network_security_group_security_rule" "services" {
  for_each = local.service_users

  network_security_group_id = oci_core_network_security_group.part[each.key].id
  description               = "Oracle's services: images, settings, secrets"
  direction                 = "EGRESS"
  protocol                  = local.tcp
  destination               = local.oracle_services.cidr_block
  destination_type          = "SERVICE_CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = 443
      max = 443
    }
  }
}

resource "oci_core_network_security_group_security_rule" "clients" {
  for_each = toset(var.client_cidrs)

  network_security_group_id = oci_core_network_security_group.part["gateway"].id
  description               = "Callers"
  direction                 = "INGRESS"
  protocol                  = local.tcp
  source                    = each.key
  source_type               = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = 443
      max = 443
    }
  }
}

# The public subnet has one route, the internet gateway, for the function and for the key set.
resource "oci_core_network_security_group_security_rule" "gateway_out" {
  network_security_group_id = oci_core_network_security_group.part["gateway"].id
  description               = "The function, and the key set of the callers' tokens"
  direction                 = "EGRESS"
  protocol                  = local.tcp
  destination               = "0.0.0.0/0"
  destination_type          = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = 443
      max = 443
    }
  }
}

locals {
  # Port 443 for your own routes, and the ports in api_urls.
  own_endpoint_ports = distinct(concat([443], [
    for url in try(values(var.api_urls), []) : try(tonumber(regex("^https://[^/?#]*:([0-9]+)(?:[/?#]|$)", url)[0]), 443)
  ]))

  own_endpoint_rules = {
    for rule in setproduct(var.endpoint_cidrs, local.own_endpoint_ports) :
    rule[1] == 443 ? rule[0] : "${rule[0]} ${rule[1]}" => { cidr = rule[0], port = rule[1] }
  }
}

resource "oci_core_network_security_group_security_rule" "own_endpoints" {
  for_each = local.own_endpoint_rules

  network_security_group_id = oci_core_network_security_group.part["job"].id
  description               = "Your own endpoints"
  direction                 = "EGRESS"
  protocol                  = local.tcp
  destination               = each.value.cidr
  destination_type          = "CIDR_BLOCK"

  tcp_options {
    destination_port_range {
      min = each.value.port
      max = each.value.port
    }
  }
}
