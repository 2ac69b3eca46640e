# The pair's balancer and drive in Azure. Written by `hotcold render azure --format terraform`;
# what is changed here by hand is told by `hotcold render --check`.
terraform {
  required_version = ">= 1.3"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

provider "azurerm" {
  features {
  }
}

# The network of the machines is there already.
data "azurerm_resource_group" "pair" {
  name = "ha-testing"
}

data "azurerm_virtual_network" "pair" {
  name                = "ha-net"
  resource_group_name = data.azurerm_resource_group.pair.name
}

data "azurerm_subnet" "pair" {
  name                 = "ha-nodes"
  virtual_network_name = data.azurerm_virtual_network.pair.name
  resource_group_name  = data.azurerm_resource_group.pair.name
}

# The address that the node advertises: it has to stay the same.
resource "azurerm_public_ip" "pair" {
  name                = "ha-ip"
  resource_group_name = data.azurerm_resource_group.pair.name
  location            = "westeurope"
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_lb" "pair" {
  name                = "ha-lb"
  resource_group_name = data.azurerm_resource_group.pair.name
  location            = "westeurope"
  sku                 = "Standard"

  frontend_ip_configuration {
    name                 = "ha-frontend"
    public_ip_address_id = azurerm_public_ip.pair.id
  }
}

resource "azurerm_lb_backend_address_pool" "pair" {
  name            = "ha-testing"
  loadbalancer_id = azurerm_lb.pair.id
}

resource "azurerm_lb_backend_address_pool_address" "machine_a" {
  name                    = "machine-a"
  backend_address_pool_id = azurerm_lb_backend_address_pool.pair.id
  virtual_network_id      = data.azurerm_virtual_network.pair.id
  ip_address              = "10.0.1.4"
}

resource "azurerm_lb_backend_address_pool_address" "machine_b" {
  name                    = "machine-b"
  backend_address_pool_id = azurerm_lb_backend_address_pool.pair.id
  virtual_network_id      = data.azurerm_virtual_network.pair.id
  ip_address              = "10.0.2.4"
}

resource "azurerm_lb_probe" "p2p" {
  name                = "p2p"
  loadbalancer_id     = azurerm_lb.pair.id
  protocol            = "Http"
  port                = 4655
  request_path        = "/hot"
  interval_in_seconds = 5
  probe_threshold     = 2
}

resource "azurerm_lb_probe" "rpc" {
  name                = "rpc"
  loadbalancer_id     = azurerm_lb.pair.id
  protocol            = "Http"
  port                = 4655
  request_path        = "/hot"
  interval_in_seconds = 5
  probe_threshold     = 2
}

resource "azurerm_lb_probe" "web" {
  name                = "web"
  loadbalancer_id     = azurerm_lb.pair.id
  protocol            = "Http"
  port                = 4655
  request_path        = "/hot"
  interval_in_seconds = 5
  probe_threshold     = 2
}

resource "azurerm_lb_rule" "ha_lbr_p2p" {
  name                           = "ha-lbr-p2p"
  loadbalancer_id                = azurerm_lb.pair.id
  protocol                       = "Tcp"
  frontend_ip_configuration_name = "ha-frontend"
  frontend_port                  = 10002
  backend_port                   = 10002
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.pair.id]
  probe_id                       = azurerm_lb_probe.p2p.id
  load_distribution              = "Default"
  idle_timeout_in_minutes        = 30
  tcp_reset_enabled              = true
}

resource "azurerm_lb_rule" "ha_lbr_rpc" {
  name                           = "ha-lbr-rpc"
  loadbalancer_id                = azurerm_lb.pair.id
  protocol                       = "Tcp"
  frontend_ip_configuration_name = "ha-frontend"
  frontend_port                  = 10003
  backend_port                   = 10003
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.pair.id]
  probe_id                       = azurerm_lb_probe.rpc.id
  load_distribution              = "Default"
  idle_timeout_in_minutes        = 30
  tcp_reset_enabled              = true
}

resource "azurerm_lb_rule" "ha_lbr_web" {
  name                           = "ha-lbr-web"
  loadbalancer_id                = azurerm_lb.pair.id
  protocol                       = "Tcp"
  frontend_ip_configuration_name = "ha-frontend"
  frontend_port                  = 10004
  backend_port                   = 10004
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.pair.id]
  probe_id                       = azurerm_lb_probe.web.id
  load_distribution              = "Default"
  idle_timeout_in_minutes        = 30
  tcp_reset_enabled              = true
}

# Who may come in. What no rule names, the RPC admin port first of all, stays inside of the network.
resource "azurerm_network_security_group" "pair" {
  name                = "ha-nsg"
  resource_group_name = data.azurerm_resource_group.pair.name
  location            = "westeurope"
}

# clients of p2p
resource "azurerm_network_security_rule" "allow_p2p" {
  name                        = "allow-p2p"
  resource_group_name         = data.azurerm_resource_group.pair.name
  network_security_group_name = azurerm_network_security_group.pair.name
  priority                    = 200
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = "Internet"
  destination_port_range      = "10002"
  destination_address_prefix  = "*"
}

# Azure's probes, from 168.63.129.16
resource "azurerm_network_security_rule" "allow_probe_hot" {
  name                        = "allow-probe-hot"
  resource_group_name         = data.azurerm_resource_group.pair.name
  network_security_group_name = azurerm_network_security_group.pair.name
  priority                    = 210
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = "AzureLoadBalancer"
  destination_port_range      = "4655"
  destination_address_prefix  = "*"
}

# clients of rpc
resource "azurerm_network_security_rule" "allow_rpc" {
  name                        = "allow-rpc"
  resource_group_name         = data.azurerm_resource_group.pair.name
  network_security_group_name = azurerm_network_security_group.pair.name
  priority                    = 220
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = "198.51.100.0/24"
  destination_port_range      = "10003"
  destination_address_prefix  = "*"
}

# clients of web
resource "azurerm_network_security_rule" "allow_web" {
  name                        = "allow-web"
  resource_group_name         = data.azurerm_resource_group.pair.name
  network_security_group_name = azurerm_network_security_group.pair.name
  priority                    = 230
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefixes     = ["198.51.100.0/24", "203.0.113.0/24"]
  destination_port_range      = "10004"
  destination_address_prefix  = "*"
}

# nobody but Azure's probes
resource "azurerm_network_security_rule" "deny_probe_hot" {
  name                        = "deny-probe-hot"
  resource_group_name         = data.azurerm_resource_group.pair.name
  network_security_group_name = azurerm_network_security_group.pair.name
  priority                    = 240
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = "*"
  destination_port_range      = "4655"
  destination_address_prefix  = "*"
}

resource "azurerm_subnet_network_security_group_association" "pair" {
  subnet_id                 = data.azurerm_subnet.pair.id
  network_security_group_id = azurerm_network_security_group.pair.id
}

# The drive that both machines share.
resource "azurerm_storage_account" "drive" {
  name                            = "hatestingdrive"
  resource_group_name             = data.azurerm_resource_group.pair.name
  location                        = "westeurope"
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = "ZRS"
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = true

  share_properties {
    smb {
      versions = ["SMB3.0", "SMB3.1.1"]
    }
  }
}

resource "azurerm_storage_share" "drive" {
  name               = "artemis"
  storage_account_id = azurerm_storage_account.drive.id
  enabled_protocol   = "SMB"
  access_tier        = "TransactionOptimized"
  quota              = 100

  lifecycle {
    prevent_destroy = true
  }
}

output "balancer_address" {
  description = "the host of p2pAddress on both machines"
  value       = azurerm_public_ip.pair.ip_address
}

output "drive" {
  description = "what both machines mount"
  value       = "//hatestingdrive.file.core.windows.net/artemis"
}
