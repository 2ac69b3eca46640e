#!/usr/bin/env bash
# The pair's balancer and drive in Azure, by the commands of the Azure CLI. Written by
# `hotcold render azure --format az`. Safe to run again. It wants `az login` beforehand, and the
# resource group and the network of the machines.
set -euo pipefail

group=ha-testing
location=westeurope
balancer=ha-lb
pool=ha-testing
security=ha-nsg
account=hatestingdrive

# The address that the node advertises: it has to stay the same.
az network public-ip create --name ha-ip --resource-group "$group" --output none --location "$location" --sku Standard \
  --allocation-method Static

# The balancer, with both machines in its pool.
az network lb create --name "$balancer" --resource-group "$group" --output none --location "$location" --sku Standard \
  --public-ip-address ha-ip --frontend-ip-name ha-frontend --backend-pool-name "$pool"
az network lb address-pool address add --pool-name "$pool" --resource-group "$group" --output none --lb-name "$balancer" \
  --name machine-a --vnet ha-net --ip-address 10.0.1.4
az network lb address-pool address add --pool-name "$pool" --resource-group "$group" --output none --lb-name "$balancer" \
  --name machine-b --vnet ha-net --ip-address 10.0.2.4

# How Azure finds out which machine is hot.
az network lb probe create --name p2p --resource-group "$group" --output none --lb-name "$balancer" --protocol Http \
  --port 4655 --path /hot --interval 5 --probe-threshold 2
az network lb probe create --name rpc --resource-group "$group" --output none --lb-name "$balancer" --protocol Http \
  --port 4655 --path /hot --interval 5 --probe-threshold 2
az network lb probe create --name web --resource-group "$group" --output none --lb-name "$balancer" --protocol Http \
  --port 4655 --path /hot --interval 5 --probe-threshold 2

# What goes to the hot machine.
az network lb rule create --name ha-lbr-p2p --resource-group "$group" --output none --lb-name "$balancer" \
  --protocol Tcp --frontend-ip-name ha-frontend --frontend-port 10002 --backend-port 10002 --backend-pool-name "$pool" \
  --probe-name p2p --load-distribution Default --idle-timeout 30 --enable-tcp-reset true
az network lb rule create --name ha-lbr-rpc --resource-group "$group" --output none --lb-name "$balancer" \
  --protocol Tcp --frontend-ip-name ha-frontend --frontend-port 10003 --backend-port 10003 --backend-pool-name "$pool" \
  --probe-name rpc --load-distribution Default --idle-timeout 30 --enable-tcp-reset true
az network lb rule create --name ha-lbr-web --resource-group "$group" --output none --lb-name "$balancer" \
  --protocol Tcp --frontend-ip-name ha-frontend --frontend-port 10004 --backend-port 10004 --backend-pool-name "$pool" \
  --probe-name web --load-distribution Default --idle-timeout 30 --enable-tcp-reset true

# Who may come in. What no rule names, the RPC admin port first of all, stays inside of the network.
az network nsg create --name "$security" --resource-group "$group" --output none --location "$location"
az network nsg rule create --nsg-name "$security" --name allow-p2p --resource-group "$group" --output none \
  --description 'clients of p2p' --priority 200 --direction Inbound --access Allow --protocol Tcp \
  --source-address-prefixes Internet --destination-port-ranges 10002
az network nsg rule create --nsg-name "$security" --name allow-probe-hot --resource-group "$group" --output none \
  --description 'Azure'\''s probes, from 168.63.129.16' --priority 210 --direction Inbound --access Allow \
  --protocol Tcp --source-address-prefixes AzureLoadBalancer --destination-port-ranges 4655
az network nsg rule create --nsg-name "$security" --name allow-rpc --resource-group "$group" --output none \
  --description 'clients of rpc' --priority 220 --direction Inbound --access Allow --protocol Tcp \
  --source-address-prefixes 198.51.100.0/24 --destination-port-ranges 10003
az network nsg rule create --nsg-name "$security" --name allow-web --resource-group "$group" --output none \
  --description 'clients of web' --priority 230 --direction Inbound --access Allow --protocol Tcp \
  --source-address-prefixes 198.51.100.0/24 203.0.113.0/24 --destination-port-ranges 10004
az network nsg rule create --nsg-name "$security" --name deny-probe-hot --resource-group "$group" --output none \
  --description 'nobody but Azure'\''s probes' --priority 240 --direction Inbound --access Deny --protocol Tcp \
  --source-address-prefixes '*' --destination-port-ranges 4655
az network vnet subnet update --vnet-name ha-net --name ha-nodes --resource-group "$group" --output none \
  --network-security-group "$security"

# The drive that both machines share.
az storage account create --name "$account" --resource-group "$group" --output none --location "$location" \
  --kind StorageV2 --sku Standard_ZRS --https-only true --min-tls-version TLS1_2 --allow-blob-public-access false \
  --allow-shared-key-access true
az storage account file-service-properties update --account-name "$account" --resource-group "$group" --output none \
  --versions 'SMB3.0;SMB3.1.1'
az storage share-rm create --storage-account "$account" --name artemis --resource-group "$group" --output none \
  --quota 100 --access-tier TransactionOptimized --enabled-protocols SMB

# The host of p2pAddress, on both machines.
az network public-ip show --resource-group "$group" --name ha-ip --query ipAddress --output tsv
