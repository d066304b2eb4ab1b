mock_data "oci_identity_regions" {
  defaults = {
    regions = [{ key = "GRU", name = "sa-saopaulo-1" }]
  }
}

mock_data "oci_objectstorage_namespace" {
  defaults = {
    namespace = "mynamespace"
  }
}
